"""A corrected text in the boxes of the words that were read.

Both texts are aligned word by word. Words that stayed keep their boxes. Corrected words have the
box of the words that they replace, shared out by their characters where their number differs.
Words that were added between two words of a line have the gap between them; others have no box.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count, groupby, pairwise

from rapidfuzz.distance import Levenshtein

from glmocr_utils.markup import printed, word_spans
from glmocr_utils.ocr_formats.placed_words import BLANK_LINE, Part, PlacedWord
from glmocr_utils.records import Box, around


@dataclass(frozen=True, slots=True)
class _Written:
    """A word of the corrected text.

    Attributes:
        text: as it is printed.
        gap: what is written between it and the word before it.
        is_joined: no white space is printed there.
    """

    text: str
    gap: str
    is_joined: bool

    def placed(self, box: Box | None, text: str | None = None) -> PlacedWord:
        return PlacedWord(self.text if text is None else text, box, 1.0, self.is_joined, True)


def corrected_parts(parts: Sequence[Part], text: str, block_of_all: int | None) -> list[Part]:
    """The parts of words on a page that now reads `text`.

    Args:
        parts: of the words that were read; the line of each is known, or of none.
        block_of_all: the block of words that are beside none that was read. None: each blank line
            begins a new block.
    """
    old = [list(group) for _, group in groupby(parts, key=lambda part: part.number)]
    new = list(_written_words(text))
    fresh = _Fresh(block_of_all)
    found: list[Part] = []
    for is_same, start, stop, first, last in _stretches(list(map(_text_of, old)), new):
        words = new[first:last]
        if is_same:
            for read, word in zip(old[start:stop], words, strict=True):
                joined = replace(read[0].word, is_joined=word.is_joined)
                found += [replace(read[0], word=joined), *read[1:]]
        elif start == stop:
            after = old[stop][0] if stop < len(old) else None
            gap_after = new[last].gap if last < len(new) else ""
            found += _added(words, found[-1] if found else None, after, gap_after, fresh)
        elif stop - start == last - first:
            for read, word in zip(old[start:stop], words, strict=True):
                found += _shared(read, [word])
        else:
            found += _shared([part for read in old[start:stop] for part in read], words)
    return found


def _written_words(text: str) -> Iterator[_Written]:
    page = printed(text)
    starts = [start for start, _ in page.spans]
    last_stop = 0
    for start, stop in word_spans(text):
        first, last = bisect_left(starts, start), bisect_left(starts, stop)
        own = "".join(page.text[first:last].split())
        is_joined = first > 0 and not page.text[first - 1].isspace()
        yield _Written(own, text[last_stop:start], is_joined)
        last_stop = stop


def _text_of(parts: Sequence[Part]) -> str:
    return "".join(part.word.text for part in parts)


def _stretches(
    old: Sequence[str], new: Sequence[_Written]
) -> Iterator[tuple[bool, int, int, int, int]]:
    """Runs of words that stayed, and of all between them: (is_same, start, stop, first, last)."""
    aligned = Levenshtein.opcodes(old, [word.text for word in new])
    for is_same, group in groupby(aligned, key=lambda opcode: opcode.tag == "equal"):
        run = list(group)
        yield is_same, run[0].src_start, run[-1].src_end, run[0].dest_start, run[-1].dest_end


def _shared(read: Sequence[Part], words: Sequence[_Written]) -> Iterator[Part]:
    """Words in the place of others, each in the share of it that its characters take.

    A word continues on the next line only where a word of the reading did.
    """
    runs = _runs(read)
    factor = runs[-1].stop / max(1, sum(len(word.text) for word in words))
    at = 0.0
    for word in words:
        start, at = at, at + factor * len(word.text)
        cuts = [start, *(run.stop for run in runs if run.goes_on and start < run.stop < at), at]
        done = 0
        for first, last in pairwise(cuts):
            run = max(runs, key=lambda run: min(run.stop, last) - max(run.start, first))
            end = len(word.text) if last == at else round((last - start) / factor)
            if end > done:
                placed = word.placed(run.box(first, last), word.text[done:end])
                yield run.part(replace(placed, is_joined=word.is_joined or done > 0))
            done = end


@dataclass(frozen=True, slots=True)
class _Run:
    """Parts of one line, one after the other.

    Attributes:
        start, stop: characters among all that are replaced.
        goes_on: the last word continues in the next run.
    """

    parts: tuple[Part, ...]
    start: int
    stop: int
    goes_on: bool

    def part(self, word: PlacedWord) -> Part:
        return replace(self.parts[0], word=word)

    def box(self, first: float, last: float) -> Box | None:
        """What characters `first` to `last` take of the boxes; None where one is unclear."""
        boxes = []
        start = self.start
        first = min(max(first, self.start), self.stop)
        last = min(max(last, first), self.stop)
        for part in self.parts:
            stop = start + len(part.word.text)
            begin, end = max(first, start), min(last, stop)
            if begin < end:
                if part.word.box is None:
                    return None
                boxes.append(_share(part.word.box, begin - start, end - start, stop - start))
            start = stop
        return around(boxes)


def _share(box: Box, begin: float, end: float, whole: float) -> Box:
    width = box.right - box.left
    left, right = box.left + begin / whole * width, box.left + end / whole * width
    return replace(box, left=left, right=max(left, right))


def _runs(read: Sequence[Part]) -> list[_Run]:
    groups = [list(group) for _, group in groupby(read, key=lambda part: (part.block, part.line))]
    runs = []
    start = 0
    for group, following in zip(groups, [*groups[1:], None], strict=True):
        stop = start + sum(len(part.word.text) for part in group)
        goes_on = following is not None and following[0].number == group[-1].number
        runs.append(_Run(tuple(group), start, stop, goes_on))
        start = stop
    return runs


class _Fresh:
    """Numbers for lines and blocks that are beside nothing that was read."""

    def __init__(self, block_of_all: int | None) -> None:
        self._numbers = count(-2, -1)
        self._block_of_all = block_of_all

    def line(self) -> int:
        return next(self._numbers)

    def block(self, beside: int | None) -> int:
        """A new one; a page of regions has no others than these."""
        if self._block_of_all is None:
            return next(self._numbers)
        return self._block_of_all if beside is None else beside


def _added(
    words: Sequence[_Written], before: Part | None, after: Part | None, gap: str, fresh: _Fresh
) -> Iterator[Part]:
    """Words where none was read.

    Args:
        gap: what is written after them.
    """
    lines: list[list[_Written]] = [[]]
    for word in words:
        if "\n" in word.gap and lines[-1]:
            lines.append([])
        lines[-1].append(word)
    block = before.block if before else None
    for number, own in enumerate(lines):
        is_last = number == len(lines) - 1
        if before and number == 0 and "\n" not in own[0].gap:
            box = _gap(before, after) if is_last and "\n" not in gap else None
            yield from _in_line(own, before, box)
            continue
        if after and is_last and "\n" not in gap:
            yield from _in_line(own, after, None)
            continue
        if block is None or BLANK_LINE.search(own[0].gap):
            block = fresh.block(block)
        line = fresh.line()
        for word in own:
            yield Part(word.placed(None), block, line)


def _gap(before: Part, after: Part | None) -> Box | None:
    """Between two words of a line; None where there is none, or one is unclear."""
    if after is None or (before.block, before.line) != (after.block, after.line):
        return None
    left, right = before.word.box, after.word.box
    if left is None or right is None or right.left <= left.right:
        return None
    return Box(left.right, min(left.top, right.top), right.left, max(left.bottom, right.bottom))


def _in_line(words: Sequence[_Written], beside: Part, box: Box | None) -> Iterator[Part]:
    whole = sum(len(word.text) for word in words)
    at = 0
    for word in words:
        start, at = at, at + len(word.text)
        own = _share(box, start, at, whole) if box else None
        yield replace(beside, word=word.placed(own))
