"""A page under review: its lines as they are now, and the same correction elsewhere."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from glmocr_utils.confidence import Change, PageTokens, changed
from glmocr_utils.markup import Cell, Table, tables, word_spans
from glmocr_utils.records import Action, Coverage, Decision, OcrResult, ReadAgain
from glmocr_utils.review.flags import Flag
from glmocr_utils.review.page_text import PageText

SHORT_LINE = 160  # characters; a longer line is shown in part
CONTEXT = 60  # characters shown on each side of a flag


@dataclass
class PageReview:
    """One page under review.

    Attributes:
        result: what was read.
        flags: in reading order.
        lines: the text as it is now; a correction may put several lines in one's place, or none.
        typed: the whole page as a person typed it, which counts instead of the lines; or None.
        decided: action by `flag_id`.
        coverage: how thoroughly the page was finished, None while it is not.
        read_again: how it is to be read again, where it was put aside for that.
    """

    result: OcrResult
    flags: Sequence[Flag]
    typed: str | None = field(init=False)
    decided: dict[str, Action] = field(init=False)
    coverage: Coverage | None = field(init=False)
    read_again: ReadAgain | None = field(init=False)
    lines: list[str] = field(init=False)
    original_lines: list[str] = field(init=False)
    _tokens: PageTokens = field(init=False, repr=False)
    _text: PageText = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._tokens = PageTokens(self.result)
        self.original_lines = self.result.text.split("\n")
        self.replay([])

    def replay(self, decisions: Iterable[Decision]) -> None:
        """Begin again with what was read, and do what was decided and not undone."""
        self._text, self.typed, self.decided = PageText(self.result.text), None, {}
        self.coverage = self.read_again = None
        for decision in decisions:
            if decision.action == "finish":
                self.coverage, self.read_again = decision.coverage, decision.read_again
                continue
            self.coverage = self.read_again = None  # continuing with a finished page reopens it
            if decision.action == "type":
                self.typed = decision.after
                continue
            flag_id = decision.flag_id
            if flag_id and self.find_flag(flag_id):  # not a line that the reviewer went to
                self.decided[flag_id] = decision.action
            if decision.token_text is not None:
                start, stop = decision.token_start or 0, decision.token_stop or 0
                self._text.replace_token(start, stop, decision.token_text)
            elif decision.action == "correct":
                self._text.type_line(decision.line_index or 0, decision.after or "")
        self.lines = self._text.lines

    @property
    def text(self) -> str:
        """The text as it is now, without the lines that were corrected to nothing."""
        return str(self._text) if self.typed is None else self.typed

    @property
    def open_flags(self) -> list[Flag]:
        if self.typed is not None:
            return []
        return [flag for flag in self.flags if flag.flag_id not in self.decided]

    def line_flag(self, line_index: int) -> Flag:
        """A line as a flag, for a reviewer who found something that isn't flagged."""
        end = len(self.original_lines[line_index])
        return Flag("line", line_index, end, end, "", None)

    def find_flag(self, flag_id: str | None) -> Flag | None:
        return next((flag for flag in self.flags if flag.flag_id == flag_id), None)

    def span_of(self, flag: Flag) -> tuple[int, int]:
        """Where a flag now is in its line, which may have been edited since."""
        return self._text.locate(flag.line_index, flag.start, flag.end)

    def text_of(self, flag: Flag) -> str:
        """The flagged text as it is now."""
        start, end = self.span_of(flag)
        return self.lines[flag.line_index][start:end]

    def window_of(self, flag: Flag) -> tuple[int, int]:
        """The part of a flag's line to show; of a line that the reviewer went to, all of it."""
        line = self.lines[flag.line_index]
        return (0, len(line)) if flag.kind == "line" else window_around(line, *self.span_of(flag))

    def replacement(self, flag: Flag, choice: str) -> tuple[int, int, str] | None:
        """The characters of the tokens that a choice of the flag replaces, and their new text.

        None if it is none of the flag's choices.
        """
        for text, _, _, change in self._choices_now(flag):
            if text == choice:
                start, stop = change.token
                return start, stop, changed(self.result.text, [change], start, stop)
        return None

    def choices_now(self, flag: Flag) -> tuple[tuple[str, float], ...]:
        """A flag's choices, with what was already chosen for its other tokens."""
        return tuple((text, prob) for text, prob, _, _ in self._choices_now(flag))

    def readers_now(self, flag: Flag) -> tuple[str, ...]:
        """The second readers that read each of `choices_now`; empty for the model's own."""
        return tuple(readers for _, _, readers, _ in self._choices_now(flag))

    def _choices_now(self, flag: Flag) -> Iterator[tuple[str, float, str, Change]]:
        """Text, probability, readers and change of each; two that say the same by now are one."""
        line_start = self._text.starts[flag.line_index]
        seen = set()
        readers = flag.readers or ("",) * len(flag.choices)
        for (_, prob), own, change in zip(flag.choices, readers, flag.changes, strict=True):
            start, stop = self._tokens.around(change.start, change.stop)
            start, stop = min(start, line_start + flag.start), max(stop, line_start + flag.end)
            text = self._text.stretch(start, stop, change)
            if text not in seen:
                seen.add(text)
                yield text, prob, own, change

    def text_with(self, start: int, stop: int, text: str) -> PageText:
        """The page's text with one more token replaced."""
        with_token = self._text.copy()
        with_token.replace_token(start, stop, text)
        return with_token


@dataclass(frozen=True, slots=True)
class Offer:
    """The same correction, possible for other flags too; it is never made by itself."""

    before: str
    after: str
    flags: tuple[tuple[int, Flag], ...]  # (number of the page under review, flag)


def find_same(pages: Sequence[PageReview], before: str, after: str, flag: Flag) -> Offer | None:
    """Open flags on the word that was replaced between two states of a line.

    None when more than one word changed, or no other open flag has it.
    """
    words = _replaced_word(before, after)
    if words is None:
        return None
    others = tuple(
        (number, other)
        for number, page in enumerate(pages)
        for other in page.open_flags
        if other is not flag and words[0] in _words(page.text_of(other))
    )
    return Offer(*words, others) if others else None


def replace_word(page: PageReview, flag: Flag, line: str, before: str, after: str) -> str:
    """`line`, the flag's line as it is now or with later flags edited, with a word replaced.

    Only the flagged text changes; the rest of the line stays.
    """
    first, last = page.span_of(flag)
    for start, stop in reversed(word_spans(line[:last])):
        if start >= first and line[start:stop] == before:
            line = f"{line[:start]}{after}{line[stop:]}"
    return line


def window_around(line: str, start: int, end: int) -> tuple[int, int]:
    """What to show of a line around characters `start` to `end`: all of it if it is short.

    In a table it is the row, or the cell where the row is long; otherwise the words around.
    """
    if len(line) <= SHORT_LINE:
        return 0, len(line)
    cells = [cell for table in tables(line) for cell in _row(table, start, end)]
    own = [cell for cell in cells if cell.start <= start and end <= cell.stop]
    for shown in (cells, own):
        if shown:
            first, last = min(c.start for c in shown), max(c.stop for c in shown)
            if last - first <= SHORT_LINE:
                return first, last
    words = word_spans(line)
    first = next((w for w, _ in words if w >= start - CONTEXT), start)
    last = next((w for _, w in reversed(words) if w <= end + CONTEXT), end)
    return min(start, first), max(end, last)


def _row(table: Table, start: int, end: int) -> list[Cell]:
    """The cells of the row that characters `start` to `end` are in."""
    rows = {cell.row for cell in table.cells if cell.start <= start and end <= cell.stop}
    return [cell for cell in table.cells if cell.row in rows]


def _replaced_word(before: str, after: str) -> tuple[str, str] | None:
    """The one word that differs between two lines, before and after; None if more do."""
    old, new = _words(before), _words(after)
    if len(old) != len(new):
        return None
    differing = [pair for pair in zip(old, new, strict=True) if pair[0] != pair[1]]
    return differing[0] if len(differing) == 1 else None


def _words(text: str) -> list[str]:
    return [text[start:stop] for start, stop in word_spans(text)]
