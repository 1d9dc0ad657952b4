"""A page's printed text as blocks, lines and words with their boxes, for every format alike.

Words are those of the print: without tags, asterisks and other markup, entities resolved. Each cell
of a table has words of its own. Lines are printed lines.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from glmocr_utils.markup import printed, tables, word_spans
from glmocr_utils.records import Box, OcrResult, PageLayout, Region, TokenProb, around

DESCENT = 0.2  # of the height of a box: so much of it is under the baseline
BLANK_LINE = re.compile(r"\n[^\S\n]*\n")


@dataclass(frozen=True, slots=True)
class PlacedWord:
    """A word of a page, or its part on one printed line.

    Attributes:
        text: as it is printed, without white space.
        box: within the page, in pixels; None where it is unclear.
        prob: the lowest probability of its tokens, 0 to 1: the model's own, of the text. How sure
            the box is has no part in it.
        is_joined: no white space is before it, as between two words of Chinese, or where a word
            goes on after a line end.
    """

    text: str
    box: Box | None
    prob: float
    is_joined: bool = False


@dataclass(frozen=True, slots=True)
class PlacedLine:
    """A printed line, or its part in one block; `box` is None where it is unclear."""

    words: tuple[PlacedWord, ...]
    box: Box | None


@dataclass(frozen=True, slots=True)
class PlacedBlock:
    """Lines that belong together, in reading order.

    Attributes:
        region: that they are; None on a page that was read as a whole. That of a picture has no
            lines.
    """

    lines: tuple[PlacedLine, ...]
    region: Region | None = None

    def __iter__(self) -> Iterator[PlacedLine]:
        return iter(self.lines)

    @property
    def box(self) -> Box | None:
        """The region's, or around its lines; None where all of them are unclear."""
        return self.region.box if self.region else around(line.box for line in self if line.box)


@dataclass(frozen=True, slots=True)
class _Part:
    """A word, or its part on one line, with the numbers of its block and of its printed line."""

    word: PlacedWord
    block: int
    line: int | None  # None where it is unclear


def placed_blocks(result: OcrResult, layout: PageLayout) -> list[PlacedBlock]:
    """The lines of each block, in reading order.

    A block is a region, where the page was read by regions; pictures are blocks without lines.
    Otherwise it ends at a blank line of the text, at the borders of a table, and where the next
    line is above the last, as at the top of a column.
    """
    if result.regions:
        return _regions(result, layout)
    blocks: list[list[PlacedLine]] = []
    last_block, last_box = None, None
    for block, line in _lines(result, layout):
        is_higher = line.box and last_box and line.box.bottom < last_box.top
        if block != last_block or is_higher:
            blocks.append([])
        blocks[-1].append(line)
        last_block, last_box = block, line.box or last_box
    return [PlacedBlock(tuple(lines)) for lines in blocks]


def _regions(result: OcrResult, layout: PageLayout) -> list[PlacedBlock]:
    lines: dict[int, list[PlacedLine]] = {}
    for region, line in _lines(result, layout):
        lines.setdefault(region, []).append(line)
    return [
        PlacedBlock(tuple(lines.get(region.index, ())), region)
        for region in result.regions
        if region.index in lines or region.status == "picture"
    ]


def _lines(result: OcrResult, layout: PageLayout) -> Iterator[tuple[int, PlacedLine]]:
    """The lines of a page with the numbers of their blocks."""
    parts = _with_lines(list(_parts(result, layout)))
    runs = [list(run) for _, run in groupby(parts, key=lambda part: (part.block, part.line))]
    num_runs = Counter(run[0].line for run in runs)
    for run in runs:
        index = run[0].line
        box = around(part.word.box for part in run if part.word.box)
        if index is not None and 0 <= index < len(layout.lines) and num_runs[index] == 1:
            printed = layout.lines[index]  # the whole line is in this run
            if printed:
                box = around(filter(None, [box, _within(printed, layout)]))
        yield run[0].block, PlacedLine(tuple(part.word for part in run), box)


def _parts(result: OcrResult, layout: PageLayout) -> Iterator[_Part]:
    """All words of a page, cut where they change the printed line."""
    written = result.text
    page = printed(written)
    starts = np.array([start for start, _ in page.spans], int)
    borders = sorted({at for table in tables(written) for at in (table.start, table.stop)})
    borders += [match.start() for match in BLANK_LINE.finditer(written)]
    tokens = _TokensOfCharacters(result.tokens, layout)
    region_ends = _region_ends(result)
    last_stop = 0
    block = 0
    for start, stop in word_spans(written):
        if region_ends:
            block = next(index for end, index in region_ends if start < end)
        else:
            block += any(last_stop <= border <= start for border in borders) and last_stop > 0
        first, last = np.searchsorted(starts, [start, stop])
        own = [n for n in range(first, last) if not page.text[n].isspace()]
        is_joined = bool(last_stop) and not (first and page.text[first - 1].isspace())
        lines = _filled([tokens.line_of(page.spans[n]) for n in own])
        at = 0
        for line, run in groupby(lines):
            count = len(list(run))
            characters = own[at : at + count]
            text = "".join(page.text[n] for n in characters)
            spans = [page.spans[n] for n in characters]
            word = PlacedWord(
                text, tokens.box_of(spans), tokens.prob_of(spans), is_joined or at > 0
            )
            yield _Part(word, block, line)
            at += count
        last_stop = stop


def _region_ends(result: OcrResult) -> list[tuple[int, int]]:
    """Where the text of each region ends, with its index, in the order of the text."""
    ends = np.cumsum([0, *(len(token.text) for token in result.tokens)])
    regions = sorted(result.regions, key=lambda region: region.token_stop)
    return [
        (int(ends[region.token_stop]), region.index)
        for region in regions
        if region.token_stop > region.token_start
    ]


def _filled(lines: list[int | None]) -> list[int | None]:
    """Within a word, what is unclear is on the line of what is before it, or else after it."""
    for number in range(1, len(lines)):
        lines[number] = lines[number - 1] if lines[number] is None else lines[number]
    for number in range(len(lines) - 2, -1, -1):
        lines[number] = lines[number + 1] if lines[number] is None else lines[number]
    return lines


def joined_words(line: PlacedLine) -> list[PlacedWord]:
    """The words of a line, those without white space between as one."""
    words: list[PlacedWord] = []
    for word in line.words:
        before = words[-1] if words else None
        if before and word.is_joined and bool(before.box) == bool(word.box):
            box = around(filter(None, [before.box, word.box]))
            prob = min(before.prob, word.prob)
            words[-1] = PlacedWord(before.text + word.text, box, prob, before.is_joined)
        else:
            words.append(word)
    return words


def _with_lines(parts: Sequence[_Part]) -> list[_Part]:
    """What is unclear goes with the part before it in its block, or with the one after it."""
    found = list(parts)
    for order in (range(1, len(found)), range(len(found) - 2, -1, -1)):
        for number in order:
            near = found[number - order.step]
            if found[number].line is None and near.block == found[number].block:
                found[number] = replace(found[number], line=near.line)
    return found


class _TokensOfCharacters:
    """The tokens that write the characters of a page, with what is known of their boxes."""

    def __init__(self, tokens: Sequence[TokenProb], layout: PageLayout) -> None:
        self._tokens = tokens
        self._layout = layout
        self._ends = np.cumsum([len(token.text) for token in tokens])
        inks = printed("".join(token.text for token in tokens))
        self._inked: dict[int, list[int]] = {}  # token → where its characters with ink end
        for (_, stop), character in zip(inks.spans, inks.text, strict=True):
            if not character.isspace():
                self._inked.setdefault(self._last(stop), []).append(stop)

    def _last(self, stop: int) -> int:
        return int(np.searchsorted(self._ends, stop, side="left"))

    def _first(self, start: int) -> int:
        """From the first bytes of a character that several tokens spell."""
        first = int(np.searchsorted(self._ends, start, side="right"))
        while first and not self._tokens[first - 1].text:
            first -= 1
        return first

    def line_of(self, span: tuple[int, int]) -> int | None:
        last = self._layout.tokens[self._last(span[1])]
        return last.line_index if last else None

    def prob_of(self, spans: Sequence[tuple[int, int]]) -> float:
        own = range(self._first(spans[0][0]), self._last(spans[-1][1]) + 1)
        return min(self._tokens[index].prob for index in own)

    def box_of(self, spans: Sequence[tuple[int, int]]) -> Box | None:
        """Around these characters; each takes an equal share of its token's box."""
        boxes = []
        for token, own in groupby(spans, key=lambda span: self._last(span[1])):
            found = self._layout.tokens[token]
            if found is None:
                return None
            stops = [stop for _, stop in own]
            inked, width = self._inked[token], found.box.right - found.box.left
            left = found.box.left + inked.index(stops[0]) / len(inked) * width
            right = found.box.left + (inked.index(stops[-1]) + 1) / len(inked) * width
            boxes.append(replace(found.box, left=left, right=max(left, right)))
        box = around(boxes)
        return box and _within(box, self._layout)


def text_of(line: PlacedLine) -> str:
    """Its words, with spaces between them where the page has some."""
    words = (
        word.text if at == 0 or word.is_joined else f" {word.text}"
        for at, word in enumerate(line.words)
    )
    return "".join(words)


def polygon_of(box: Box) -> list[tuple[float, float]]:
    """Its corners, clockwise from the upper left one."""
    left, top, right, bottom = box.left, box.top, box.right, box.bottom
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def baseline_of(line: PlacedLine) -> list[tuple[float, float]]:
    """From the left end of a line with a box to the right one; it may rise or fall."""
    boxes = sorted((word.box for word in line.words if word.box), key=lambda box: box.left)
    boxes = boxes or [line.box] if line.box else boxes
    first, last = boxes[0], boxes[-1]
    return [(first.left, baseline_in(first)), (last.right, baseline_in(last))]


def baseline_in(box: Box) -> float:
    """The height at which the letters of a word are set, in pixels from the top of the page."""
    return box.bottom - DESCENT * (box.bottom - box.top)


def _within(box: Box, layout: PageLayout) -> Box:
    """The part of a box that is on the page."""
    left, right = (min(max(x, 0), layout.width_px) for x in (box.left, box.right))
    top, bottom = (min(max(y, 0), layout.height_px) for y in (box.top, box.bottom))
    return Box(left, top, right, bottom)


def xml_text(text: str) -> str:
    """`text` with U+FFFD for what XML 1.0 cannot hold, such as most control characters."""
    return re.sub(r"[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)
