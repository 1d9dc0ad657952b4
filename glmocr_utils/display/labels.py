"""Labels as HTML: a page beside its text, two sources side by side, suspect gold."""

from collections.abc import Iterator, Sequence

from glmocr_utils.display.escape import escape, on_one_line, visible
from glmocr_utils.display.page import image_html, page_name
from glmocr_utils.display.tables import html_table
from glmocr_utils.labels.disagreements import Disagreement
from glmocr_utils.labels.suspects import Suspect
from glmocr_utils.metrics import DiffSegment, diff_segments
from glmocr_utils.records import Label, PageImage
from glmocr_utils.render import decode_image

CONTEXT_LINES = 1  # around lines that differ


def label_html(label: Label) -> str:
    """A page's image beside its label's text.

    Raises:
        FileNotFoundError: the image is no longer where it was labelled.
    """
    page = PageImage(label.page, decode_image(label.file.image_file), scale=1.0)
    return labelled_page_html(page, label)


def labelled_page_html(page: PageImage, label: Label | None) -> str:
    """The same for an image that is open, and for a page without a label."""
    text = (escape(label.text) or "<i>blank</i>") if label else "<i>no label yet</i>"
    note = f"<p>{escape(origin(label))}</p>" if label else ""
    return (
        f'<section class="page"><h3>{escape(page_name(page.page))}</h3>{note}'
        f'<div class="sides">{image_html(page)}<pre class="text">{text}</pre></div></section>'
    )


def disagreements_html(disagreements: Sequence[Disagreement]) -> str:
    """Two labels of a page side by side, line by line; lines far from any difference are left out.

    What only one of them says is struck out on the left and underlined on the right, with signs for
    spaces and line ends, which are invisible otherwise.
    """
    return "".join(map(_disagreement, disagreements)) or "<p>No two sources disagree.</p>"


def suspects_html(suspects: Sequence[Suspect]) -> str:
    """Labels by their most surprising stretch, each in its context, the most suspect first."""
    rows = [
        (
            f"{suspect.surprise:.1f}",
            f"{suspect.mean_surprise:.3f}",
            escape(page_name(suspect.label.page)),
            str(suspect.line_number),
            f"<code>{escape(on_one_line(suspect.before))}"
            f'<b class="worst"><u>{escape(visible(suspect.stretch))}</u></b>'
            f"{escape(on_one_line(suspect.after))}</code>",
            escape(origin(suspect.label)),
        )
        for suspect in suspects
    ]
    heads = ("surprise (nats)", "mean a token", "page", "line", "in its context", "label")
    return html_table(heads, rows)


def origin(label: Label) -> str:
    """Status and source of a label, and who checked it."""
    by = f", {label.reviewer}" if label.reviewer else ""
    return f"{label.status}: {label.source}{by}, {label.time[:10]}"


def text_difference_html(title: str, heads: tuple[str, str], first: str, second: str) -> str:
    """Two texts side by side, as in `disagreements_html`."""
    table = segments_html(heads, diff_segments(first, second))
    return f'<section class="page"><h3>{escape(title)}</h3>{table}</section>'


def changed_reading_html(title: str, label: str, before: str, after: str) -> str:
    """A page's label beside what was read before and after, character by character.

    Struck out is what is missing in a reading, underlined what it has too much.
    """
    tables = "".join(
        segments_html(("label", name), diff_segments(label, text))
        for name, text in (("before", before), ("after", after))
    )
    return (
        f'<section class="page"><h3>{escape(title)}</h3><div class="texts">{tables}</div></section>'
    )


def segments_html(heads: tuple[str, str], segments: Sequence[DiffSegment]) -> str:
    """A table of two texts, line by line; lines far from any difference are left out."""
    head_cells = "".join(f"<th>{escape(head)}</th>" for head in heads)
    rows = "".join(_rows(_lines(segments)))
    return (
        f'<table class="difference"><thead><tr>{head_cells}</tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _disagreement(disagreement: Disagreement) -> str:
    first, second = disagreement.first, disagreement.second
    title = f"{page_name(first.page)}: CER {disagreement.cer:.1%}"
    return text_difference_html(title, (origin(first), origin(second)), first.text, second.text)


def _lines(segments: Sequence[DiffSegment]) -> list[list[DiffSegment]]:
    """The segments of each line; a line ends where both texts end one.

    It also ends where one has a line end and the other a space: a paragraph on one line is compared
    in the printed lines of the other text.
    """
    lines: list[list[DiffSegment]] = [[]]
    for segment in segments:
        if (segment.first, segment.second) in (("\n", " "), (" ", "\n")):
            lines.append([])
            continue
        if segment.kind != "equal":
            lines[-1].append(segment)
            continue
        for number, piece in enumerate(segment.first.split("\n")):
            if number:
                lines.append([])
            lines[-1].append(DiffSegment("equal", piece, piece))
    return lines


def _rows(lines: Sequence[Sequence[DiffSegment]]) -> Iterator[str]:
    differing = [n for n, line in enumerate(lines) if any(part.kind != "equal" for part in line)]
    shown = {n + k for n in differing for k in range(-CONTEXT_LINES, CONTEXT_LINES + 1)}
    alike = 0
    for number, line in enumerate(lines):
        if number not in shown:
            alike += 1
            continue
        yield from _alike(alike)
        alike = 0
        left = "".join(_marked(part.kind, part.first, "del") for part in line)
        right = "".join(_marked(part.kind, part.second, "ins") for part in line)
        yield f"<tr><td><pre>{left}</pre></td><td><pre>{right}</pre></td></tr>"
    yield from _alike(alike)


def _alike(count: int) -> Iterator[str]:
    if count:
        lines = "1 line" if count == 1 else f"{count} lines"
        yield f'<tr><td colspan="2"><i>⋯ {lines} alike</i></td></tr>'


def _marked(kind: str, text: str, mark: str) -> str:
    if kind == "equal" or not text:
        return escape(text)
    signs = "⏎\n".join(visible(line) for line in text.split("\n"))
    # a line may end at the sign for a space, as it may at a space
    return f"<{mark}>{escape(signs).replace('␣', '␣<wbr>')}</{mark}>"
