"""The review without a keyboard: what a run without a browser leaves in its notebook."""

from glmocr_utils.display import escape, html_table, page_html, visible
from glmocr_utils.review.flags import Flag
from glmocr_utils.review.page_review import PageReview
from glmocr_utils.review.session import ReviewSession


def review_html(session: ReviewSession) -> str:
    """How far the review is, and the first page that is not finished: its flags, image and text.

    Sure words are among the doubtful ones here as well, and are not marked as such.
    """
    number = next(iter(session.unfinished), 0)
    page = session.pages[number]
    why = session.why_not_read(number)
    rows = [] if why else [_row(page, flag) for flag in page.flags]
    return "".join(
        [
            f"<p><b>{session}</b></p>",
            f"<p>This page was not read: {why}.</p>" if why else "",
            html_table(("line", "to check", "or", "checked"), rows) if rows else "",
            page_html(
                page.result, session.image(number), session.calibration, session.layout(number)
            ),
        ]
    )


def _row(page: PageReview, flag: Flag) -> tuple[str, str, str, str]:
    line = page.lines[flag.line_index]
    start, end = page.span_of(flag)
    first, last = page.window_of(flag)
    marked = escape(line[start:end]) or "⏎"
    head = ("… " if first else "") + line[first:start]
    tail = line[end:last] + (" …" if last < len(line) else "")
    text = f'{escape(head)}<b class="worst"><u>{marked}</u></b>{escape(tail)}'
    choices = ", ".join(
        f"{visible(choice)} ({readers})" if readers else visible(choice)
        for (choice, _), readers in zip(page.choices_now(flag), page.readers_now(flag), strict=True)
    )
    decided = page.decided.get(flag.flag_id, "")
    noted = f"<br>{escape(flag.note)}" if flag.note else ""
    return str(flag.line_index + 1), f"<code>{text}</code>{noted}", escape(choices), decided
