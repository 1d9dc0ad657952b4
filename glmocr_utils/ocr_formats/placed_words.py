"""The words of a reading with their boxes, cut where they change the printed line."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from glmocr_utils.markup import printed, tables, word_spans
from glmocr_utils.records import Box, OcrResult, PageLayout, TokenProb, around

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
            continues after a line end.
        is_corrected: a person wrote it; its `prob` is 1.
    """

    text: str
    box: Box | None
    prob: float
    is_joined: bool = False
    is_corrected: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """A word, or its part on one line, with the numbers of its block and of its printed line.

    Attributes:
        line: None where it is unclear.
        number: of the word on its page; its parts share it.
    """

    word: PlacedWord
    block: int
    line: int | None
    number: int = 0


def parts_of(result: OcrResult, layout: PageLayout) -> Iterator[Part]:
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
    for number, (start, stop) in enumerate(word_spans(written)):
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
            yield Part(word, block, line, number)
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
    """Within a word, an unclear one is on the line of the one before it, otherwise after it."""
    for number in range(1, len(lines)):
        lines[number] = lines[number - 1] if lines[number] is None else lines[number]
    for number in range(len(lines) - 2, -1, -1):
        lines[number] = lines[number + 1] if lines[number] is None else lines[number]
    return lines


def with_lines(parts: Sequence[Part]) -> list[Part]:
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
        return box and within(box, self._layout)


def within(box: Box, layout: PageLayout) -> Box:
    """The part of a box that is on the page."""
    left, right = (min(max(x, 0), layout.width_px) for x in (box.left, box.right))
    top, bottom = (min(max(y, 0), layout.height_px) for y in (box.top, box.bottom))
    return Box(left, top, right, bottom)
