"""The review on a screen: a widget that shows what the session says and sends back keys.

All state is the session's. Nothing of it is kept in the widget's traits, so a saved notebook holds
neither texts nor images; the browser asks for what it shows.
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from IPython.display import HTML

from glmocr_utils.confidence import expected_errors, lines_of_tokens, step_of
from glmocr_utils.display import PALETTE, show
from glmocr_utils.notebook_host import allow_widgets
from glmocr_utils.records import STATUS_OF, STATUS_WARNINGS, Coverage, OcrResult, ReadAgain
from glmocr_utils.review.attended import is_attended
from glmocr_utils.review.browser_widget import KERNEL_LINK, BrowserWidget
from glmocr_utils.review.estimates import seconds_left, seconds_to_type
from glmocr_utils.review.flags import Flag
from glmocr_utils.review.page_review import Offer
from glmocr_utils.review.session import Order, ReviewSession
from glmocr_utils.review.static import review_html
from glmocr_utils.review.whereabouts import whereabouts

HERE = Path(__file__).parent
MAX_IMAGE_WIDTH_PX = 2000  # enough to read small print when zoomed in


def show_review(session: ReviewSession, review: bool | str = "auto") -> "ReviewWidget | HTML":
    """The widget if a user can use it; otherwise the flags to check. Never blocks.

    Args:
        review: as in `is_attended`.
    """
    if not is_attended(review):
        return show(review_html(session))
    allow_widgets()
    return ReviewWidget(session)


class ReviewWidget(BrowserWidget):
    """`session` for JupyterLab, Notebook and VS Code; keys and buttons do the same.

    Messages from the browser are `{"do": name, ...}`; answers are `{"show": "page" | "state" |
    "image" | "where" | "refused", ...}`.
    """

    _esm = KERNEL_LINK.read_text("utf-8") + (HERE / "widget.js").read_text("utf-8")
    _css = PALETTE.read_text("utf-8") + (HERE / "widget.css").read_text("utf-8")

    def __init__(self, session: ReviewSession) -> None:
        super().__init__(
            {
                "open": self._open,
                "image": self._send_image,
                "where": self._send_where,
                "page": self._go_to_page,
                "flag": self._go_to_flag,
                "line_at": self._go_to_line,
                "open_flag": self._go_to_open_flag,
                "skip": self._skip,
                "order": self._set_order,
                "accept": self._accept,
                "unsure": self._unsure,
                "choose": self._choose,
                "line": self._correct_line,
                "rest": self._accept_rest,
                "undo": self._undo,
                "apply": self._apply_offer,
                "type": self._type_page,
                "finish": self._finish,
            }
        )
        self.session = session
        self._order: Order = "reading"
        self._offer: Offer | None = None
        self._number = next(iter(session.unfinished), 0)
        self._flag: Flag | None = self._first_flag()

    # what the browser asks for

    def _open(self) -> None:
        self._send_page()

    def _send_image(self, number: int) -> None:
        page = self.session.image(number)
        if page is None:
            return
        data = page.jpeg(MAX_IMAGE_WIDTH_PX, quality=85)
        self.send({"show": "image", "number": number}, buffers=[data])

    def _send_where(self, number: int) -> None:
        """Where the lines and flags of a page are; unclear ones are left out."""
        layout = self.session.layout(number)
        if layout is None and not any(flag.box for flag in self.session.pages[number].flags):
            return
        image = self.session.image(number)
        size = (image.width_px, image.height_px) if image else None
        found = whereabouts(self.session.pages[number], layout, size)
        if layout or found.boxes:
            self.send({"show": "where", "number": number, **asdict(found)})

    def _go_to_page(self, number: int) -> None:
        self._number = min(max(number, 0), len(self.session.pages) - 1)
        self._flag = self._first_flag()
        self._offer = None
        self._send_page()

    def _go_to_flag(self, flag_id: str) -> None:
        flags = self.session.queue(self._number)
        self._flag = next((p for p in flags if p.flag_id == flag_id), self._flag)
        self._send_state()

    def _go_to_line(self, line: int) -> None:
        """Any line of the page; a full read goes through them one by one."""
        page = self.session.pages[self._number]
        if page.typed is None and 0 <= line < len(page.lines):
            self._flag = page.line_flag(line)
        self._send_state()

    def _go_to_open_flag(self) -> None:
        self._flag = self._first_flag()
        self._send_state()

    def _first_flag(self) -> Flag | None:
        """Where a page begins; a page that was not read begins with the question what to do."""
        if self.session.why_not_read(self._number):
            return None
        return self.session.next_open(self._number, order=self._order)

    def _skip(self, back: bool = False) -> None:
        """The next flag, decided or not, without deciding this one."""
        flags = self.session.queue(self._number, self._order)
        if flags:
            at = flags.index(self._flag) if self._flag in flags else (0 if back else -1)
            self._flag = flags[(at + (-1 if back else 1)) % len(flags)]
        self._send_state()

    def _set_order(self, order: str) -> None:
        self._order = "worst" if order == "worst" else "reading"
        self._flag = self._first_flag()
        self._send_page()

    # what the person decides

    def _accept(self) -> None:
        if self._flag and self._flag.kind != "line":  # moving to the next line decides nothing
            self.session.accept(self._number, self._flag)
        self._next()

    def _unsure(self) -> None:
        if self._flag:
            self.session.unsure(self._number, self._flag)
            self._next()

    def _choose(self, index: int) -> None:
        if self._flag and 0 <= index < len(self._flag.choices):
            choice, _ = self.session.pages[self._number].choices_now(self._flag)[index]
            self._offer = self.session.choose(self._number, self._flag, choice)
            self._next(keep_offer=True)

    def _correct_line(self, text: str) -> None:
        """What is shown of the line reads `text`; the rest of a long line stays."""
        flag = self._flag
        if flag is None:
            return
        page = self.session.pages[self._number]
        line, (first, last) = page.lines[flag.line_index], page.window_of(flag)
        after = f"{line[:first]}{text}{line[last:]}"
        if flag.kind == "line" and after == line:
            self._next()
        else:
            self._offer = self.session.correct_line(self._number, flag, after)
            self._next(keep_offer=True)

    def _accept_rest(self) -> None:
        self.session.accept_rest(self._number)
        self._next()

    def _undo(self) -> None:
        self._offer = None
        before = self._number
        undone = self.session.undo()
        if undone:
            self._number, flag = undone
            self._flag = flag or self._first_flag()
        if self._number == before:
            self._send_state()
        else:
            self._send_page()

    def _apply_offer(self) -> None:
        if self._offer:
            self.session.apply_offer(self._offer)
            if self._flag and self._flag.flag_id in self._decided:
                self._next()
                return
        self._offer = None
        self._send_state()

    def _type_page(self, text: str) -> None:
        self._offer = self._flag = None
        self.session.type_page(self._number, text)
        self._send_state()

    def _finish(self, coverage: Coverage, read_again: ReadAgain | None = None) -> None:
        self.session.finish(self._number, coverage, read_again)
        left = self.session.unfinished
        if left:
            self._go_to_page(next((n for n in left if n > self._number), left[0]))
        else:
            self._send_state()

    # what the browser gets

    @property
    def _decided(self) -> Mapping[str, str]:
        return self.session.pages[self._number].decided

    def _next(self, keep_offer: bool = False) -> None:
        self._offer = self._offer if keep_offer else None
        page, flag = self.session.pages[self._number], self._flag
        if flag and flag.kind == "line" and flag.line_index + 1 < len(page.lines):
            self._flag = page.line_flag(flag.line_index + 1)
        else:
            self._flag = self.session.next_open(self._number, flag, self._order)
        self._send_state()

    def _send_page(self) -> None:
        page = self.session.pages[self._number]
        result = page.result
        self.send(
            {
                "show": "page",
                "number": self._number,
                "num_pages": len(self.session.pages),
                "name": result.page.document_name,
                "page_number": result.page.page_number,
                "has_image": self.session.image(self._number) is not None,
                "has_boxes": self.session.has_layouts or any(flag.box for flag in page.flags),
                "note": result.warning if result.is_blank else None,
                "errors": str(expected_errors(result, self.session.calibration)),
                "original": page.original_lines,
                "steps": _steps_by_line(result),
                "flags": [_told(p) for p in self.session.queue(self._number, self._order)],
            }
        )
        self._send_state()

    def _send_state(self) -> None:
        session, page = self.session, self.session.pages[self._number]
        flag, offer = self._flag, self._offer
        self.send(
            {
                "show": "state",
                "number": self._number,
                "flag": flag
                and {
                    **_told(flag),
                    "choices": page.choices_now(flag),
                    "readers": page.readers_now(flag),
                },
                "span": flag and page.span_of(flag),
                "window": flag and page.window_of(flag),
                "lines": page.lines if page.typed is None else page.typed.split("\n"),
                "typed": page.typed,
                "not_read": session.why_not_read(self._number),
                "left": len(session.unfinished),
                "decided": page.decided,
                "coverage": page.coverage,
                "seconds_left": seconds_left(page),
                "seconds_to_type": seconds_to_type(page),
                "order": self._order,
                "offer": offer
                and {"before": offer.before, "after": offer.after, "count": len(offer.flags)},
                "summary": session.summary(),
                "saved": session.saved_at and _clock(session.saved_at),
            }
        )


def _clock(time: datetime) -> str:
    """`14:02`, with the date where it was on another day."""
    is_today = time.astimezone().date() == datetime.now().date()
    return time.astimezone().strftime("%H:%M" if is_today else "%Y-%m-%d %H:%M")


def _told(flag: Flag) -> dict:
    """A flag as the browser knows it; without whether it is an audit."""
    return {
        "id": flag.flag_id,
        "line": flag.line_index,
        "text": flag.text,
        "choices": flag.choices,
        "warning": STATUS_WARNINGS[STATUS_OF[flag.kind]]
        if flag.kind in ("length", "loop")
        else flag.note,
        "is_line": flag.kind == "line",
    }


def _steps_by_line(result: OcrResult) -> list[list[tuple[int, int]]]:
    """For each line, (number of characters, step of probability), neighbours of a step as one."""
    lines: list[list[tuple[int, int]]] = [[]]
    for tokens in lines_of_tokens(result):
        for token in tokens:
            step = step_of(token.prob)
            for number, piece in enumerate(token.text.split("\n")):
                if number:
                    lines.append([])
                if not piece:
                    continue
                runs = lines[-1]
                if runs and runs[-1][1] == step:
                    runs[-1] = (runs[-1][0] + len(piece), step)
                else:
                    runs.append((len(piece), step))
    return lines
