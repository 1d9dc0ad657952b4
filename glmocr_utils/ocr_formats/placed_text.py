"""A page's printed text as blocks, lines and words with their boxes, for every format alike.

Words are those of the print: without tags, asterisks and other markup, entities resolved. Each cell
of a table has words of its own. Lines are printed lines.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from glmocr_utils.ocr_formats.corrected_words import corrected_parts
from glmocr_utils.ocr_formats.placed_words import PlacedWord, parts_of, with_lines, within
from glmocr_utils.records import Box, OcrResult, PageLayout, Region, around

DESCENT = 0.2  # of the height of a box: so much of it is under the baseline


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


def placed_blocks(
    result: OcrResult, layout: PageLayout, text: str | None = None
) -> list[PlacedBlock]:
    """The lines of each block, in reading order.

    A block is a region, where the page was read by regions; pictures are blocks without lines.
    Otherwise it ends at a blank line of the text, at the borders of a table, and where the next
    line is above the last, as at the top of a column.

    Args:
        text: what the page says after a person corrected it; None: what was read.
    """
    if result.regions:
        return _regions(result, layout, text)
    blocks: list[list[PlacedLine]] = []
    last_block, last_box = None, None
    for block, line in _lines(result, layout, text):
        is_higher = line.box and last_box and line.box.bottom < last_box.top
        if block != last_block or is_higher:
            blocks.append([])
        blocks[-1].append(line)
        last_block, last_box = block, line.box or last_box
    return [PlacedBlock(tuple(lines)) for lines in blocks]


def _regions(result: OcrResult, layout: PageLayout, text: str | None) -> list[PlacedBlock]:
    lines: dict[int, list[PlacedLine]] = {}
    for region, line in _lines(result, layout, text):
        lines.setdefault(region, []).append(line)
    return [
        PlacedBlock(tuple(lines.get(region.index, ())), region)
        for region in result.regions
        if region.index in lines or region.status == "picture"
    ]


def _lines(
    result: OcrResult, layout: PageLayout, text: str | None
) -> Iterator[tuple[int, PlacedLine]]:
    """The lines of a page with the numbers of their blocks."""
    parts = with_lines(list(parts_of(result, layout)))
    if text is not None and text != result.text:
        parts = corrected_parts(parts, text, result.regions[0].index if result.regions else None)
    runs = [list(run) for _, run in groupby(parts, key=lambda part: (part.block, part.line))]
    num_runs = Counter(run[0].line for run in runs)
    for run in runs:
        index = run[0].line
        box = around(part.word.box for part in run if part.word.box)
        if index is not None and 0 <= index < len(layout.lines) and num_runs[index] == 1:
            printed = layout.lines[index]  # the whole line is in this run
            if printed:
                box = around(filter(None, [box, within(printed, layout)]))
        yield run[0].block, PlacedLine(tuple(part.word for part in run), box)


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


def xml_text(text: str) -> str:
    """`text` with U+FFFD for what XML 1.0 cannot hold, such as most control characters."""
    return re.sub(r"[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)
