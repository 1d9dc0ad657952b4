"""The text of a page under review: as it was read, with tokens replaced and lines typed."""

from copy import copy
from dataclasses import replace
from itertools import accumulate

from rapidfuzz.distance import Levenshtein

from glmocr_utils.confidence import Change, changed, smallest_change


class PageText:
    """A page's text line by line; a line keeps its number whatever becomes of it.

    As long as nothing is typed, the text is that of the tokens with the replaced ones in their
    place. A typed line is what was typed. A choice on it goes where the changed characters are now.

    Attributes:
        original: the lines as they were read; starts: where each begins in the page's text.
    """

    def __init__(self, read: str) -> None:
        self.original = read.split("\n")
        self._read = read
        self.starts = list(accumulate((len(line) + 1 for line in self.original), initial=0))
        self._changes: dict[tuple[int, int], Change] = {}  # by token
        self._typed: dict[int, str] = {}  # by line

    def copy(self) -> "PageText":
        """Another page text with the same changes, to look at one more."""
        other = copy(self)
        other._changes, other._typed = dict(self._changes), dict(self._typed)
        return other

    def replace_token(self, start: int, stop: int, text: str) -> None:
        """The token that spells `start` to `stop` of the text as read says `text`.

        What was chosen for it before no longer counts, nor for tokens that share characters with
        it: the same text may have been read by other tokens.
        """
        change = smallest_change(self._read, start, stop, text)
        for line in self._typed:
            for part in _within(change, *self._limits(line)):
                start, stop = self.locate(line, *self._in_line(line, part))
                typed = self._typed[line]
                self._typed[line] = f"{typed[:start]}{part.text}{typed[stop:]}"
        self._changes = {c.token: c for c in (*self._apart_from(*change.token), change)}

    def type_line(self, line_index: int, text: str) -> None:
        """A line reads `text`: several lines, or nothing."""
        self._typed[line_index] = text

    def line(self, line_index: int) -> str:
        typed = self._typed.get(line_index)
        if typed is not None:
            return typed
        limits = self._limits(line_index)
        return changed(self._read, self._changes_within(*limits), *limits)

    @property
    def lines(self) -> list[str]:
        return [self.line(line_index) for line_index in range(len(self.original))]

    def __str__(self) -> str:
        """The whole text, without the lines that were typed to be nothing."""
        pieces: list[str] = []
        ending = ""
        for line_index, original in enumerate(self.original):
            if self._typed.get(line_index) != "" or not original:
                pieces += [ending if pieces else "", self.line(line_index)]
                ending = ""
            if self._ends(line_index):
                ending = "\n"
        return "".join(pieces)

    def stretch(self, start: int, stop: int, change: Change) -> str:
        """Characters `start` to `stop` of the page as read, with one more token replaced.

        What else was chosen within the stretch is in it; what was typed is not.
        """
        changes = [*self._apart_from(*change.token), change]
        within = [c for c in changes if start <= c.stop and c.start <= stop]
        start = min(start, *(c.start for c in within))
        stop = max(stop, *(c.stop for c in within))
        return changed(self._read, sorted(within, key=_by_token), start, stop)

    def locate(self, line_index: int, start: int, end: int) -> tuple[int, int]:
        """Where characters of a line as it was read are in the line now."""
        typed = self._typed.get(line_index)
        if typed is not None:
            return _carry_over(self.original[line_index], typed, start, end)
        line_start, _ = self._limits(line_index)
        start, end = line_start + start, line_start + end
        new_start, new_end = (
            self._begin_now(line_index, start),
            self._end_now(line_index, start, end),
        )
        return new_start - line_start, max(new_start, new_end) - line_start

    def _apart_from(self, start: int, stop: int) -> list[Change]:
        """Changes of tokens that have no character of `start` to `stop`."""
        return [c for (first, last), c in self._changes.items() if last <= start or stop <= first]

    def _begin_now(self, line_index: int, start: int) -> int:
        """Where characters of the page's text that begin at `start` begin now."""
        grown = 0
        for change in self._changes_within(*self._limits(line_index)):
            _, token_stop = change.token
            if change.start < start < change.stop:
                return change.start + grown
            if change.start < start or change.stop == token_stop == start:
                grown += _growth(change)
        return start + grown

    def _end_now(self, line_index: int, start: int, end: int) -> int:
        """Where they end that end at `end`; what a token of theirs adds is in."""
        grown = 0
        for change in self._changes_within(*self._limits(line_index)):
            token_start, _ = change.token
            is_own = token_start < end or (start == end and token_start <= start)
            if change.start < end or (change.start == end and is_own):
                grown += _growth(change)
                end = max(end, change.stop)
        return end + grown

    def _limits(self, line_index: int) -> tuple[int, int]:
        start = self.starts[line_index]
        return start, start + len(self.original[line_index])

    def _ends(self, line_index: int) -> bool:
        """Whether the line end after a line is still there."""
        end = self.starts[line_index + 1] - 1
        return not any(c.start <= end < c.stop for c in self._changes.values())

    def _changes_within(self, start: int, stop: int) -> list[Change]:
        changes = sorted(self._changes.values(), key=_by_token)
        return [part for change in changes for part in _within(change, start, stop)]

    def _in_line(self, line_index: int, change: Change) -> tuple[int, int]:
        line_start = self.starts[line_index]
        return change.start - line_start, change.stop - line_start


def _growth(change: Change) -> int:
    return len(change.text) - (change.stop - change.start)


def _by_token(change: Change) -> tuple[int, int]:
    return change.token


def _within(change: Change, start: int, stop: int) -> list[Change]:
    """What a change does to a line at `start` to `stop`: its text goes to the line it begins on."""
    if start <= change.start <= stop:
        return [replace(change, stop=min(change.stop, stop))]
    if change.start < start < change.stop:
        return [replace(change, start=start, stop=min(change.stop, stop), text="")]
    return []


def _carry_over(original: str, current: str, start: int, end: int) -> tuple[int, int]:
    """Where characters `start` to `end` of a line are after it was typed."""
    new_start: int | None = start
    new_end: int | None = end
    if start == len(original):
        new_start = new_end = len(current)  # the end of the line stays the end
    elif original != current:
        new_start = new_end = None
        for block in Levenshtein.opcodes(original, current):
            if new_start is None and start <= block.src_end:
                ahead = min(start - block.src_start, block.dest_end - block.dest_start)
                new_start = block.dest_start + ahead
            if end <= block.src_end:
                whole = end == block.src_end
                ahead = min(end - block.src_start, block.dest_end - block.dest_start)
                new_end = block.dest_end if whole else block.dest_start + ahead
                break
    new_start = len(current) if new_start is None else new_start
    new_end = len(current) if new_end is None else new_end
    return new_start, max(new_start, new_end)
