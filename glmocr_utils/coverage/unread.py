"""Ink that looks like text, and that no text of the reading is on.

All lengths are in units of `text_on_page`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from glmocr_utils.coverage.text_ink import find_text_ink
from glmocr_utils.coverage.text_on_page import TextOnPage
from glmocr_utils.grounding.ink import line_step
from glmocr_utils.grounding.placed_page import SMALLEST_STEP
from glmocr_utils.records import Box, UnreadInk

MIN_CHARACTERS = 4.0  # of unread ink: less is a letter that juts out, or a smudge
CLAIMED = 0.35  # of a mark, or an em of it, for all of it to be read
# in ems
WORD_GAP = 1.2  # within a line of unread ink
LOWEST, HIGHEST = 0.35, 2.4  # a line of it
LINE_GAP = 1.6  # from the bottom of a line to the top of the next one in a block
ASIDE = 3.0  # across, of parts of a block
SAME_ROW = 0.6
MIN_DENSITY = 0.25  # of the columns of a line; less are scattered marks


@dataclass(frozen=True, slots=True)
class _Line:
    """Unread ink in a row; edges on the deskewed page."""

    left: int
    top: int
    right: int
    bottom: int
    num_characters: float
    token_stop: int


def find_unread(text: TextOnPage, pictures: Sequence[Box]) -> Iterator[UnreadInk]:
    """Blocks of unread ink, in the order of the text.

    Args:
        pictures: their ink isn't text; in pixels of the image.
    """
    unread = _unread_ink(text)
    for picture in pictures:
        unread &= ~text.inside(picture)
    lines = sorted(_lines(unread, text), key=lambda line: (line.token_stop, line.top, line.left))
    for block in _blocks(lines, text.em):
        edges = np.array([(line.left, line.top, line.right, line.bottom) for line in block])
        num_characters = sum(line.num_characters for line in block)
        yield UnreadInk(text.to_page(edges), num_characters, block[0].token_stop)


def width_of_print(text: TextOnPage) -> float:
    """How wide all marks like text are together, in ems; 0 on a page whose lines have no rhythm.

    The em is taken from the distance of the lines, not from the text, which may be placed wrongly.
    """
    em = line_step(text.ink) / SMALLEST_STEP
    if not np.isfinite(em):
        return 0.0
    marks = find_text_ink(text.ink, em, text.darkness)
    return float((marks.boxes[:, 2] - marks.boxes[:, 0]).sum() / em)


def _unread_ink(text: TextOnPage) -> np.ndarray:
    """(height, width) bool: of the marks like text, what is not claimed."""
    marks = find_text_ink(text.ink, text.em, text.darkness)
    unread = np.zeros(text.ink.shape, bool)
    wide = max(1, round(text.em))
    for number, (left, top, right, bottom) in enumerate(marks.boxes.tolist(), start=1):
        own = marks.labels[top:bottom, left:right] == number
        inked = own.sum(axis=0)
        read = (own & text.claimed[top:bottom, left:right]).sum(axis=0)
        if not read.all():
            inked, read = _running_sum(inked, wide), _running_sum(read, wide)
            unread[top:bottom, left:right] |= own & (read < CLAIMED * inked)
    return unread


def _running_sum(values: np.ndarray, wide: int) -> np.ndarray:
    """Over `wide` columns around each; over all of a mark that is not wider."""
    if len(values) <= wide:
        return np.full(len(values), values.sum())
    until = np.concatenate([[0], values.cumsum()])
    last = len(values)
    start = (np.arange(last) - wide // 2).clip(0, last - wide)
    return until[start + wide] - until[start]


def _lines(unread: np.ndarray, text: TextOnPage) -> Iterator[_Line]:
    gap = round(WORD_GAP * text.em)
    joined = ndimage.binary_dilation(unread, np.ones((1, gap), bool))
    labels, _ = ndimage.label(joined)
    for number, (rows, columns) in enumerate(ndimage.find_objects(labels), start=1):
        own = unread[rows, columns] & (labels[rows, columns] == number)
        down, across = own.any(axis=1).nonzero()[0], own.any(axis=0).nonzero()[0]
        top, bottom = rows.start + int(down[0]), rows.start + int(down[-1]) + 1
        left, right = columns.start + int(across[0]), columns.start + int(across[-1]) + 1
        num_characters = len(across) / text.character
        if num_characters < MIN_CHARACTERS or len(across) < MIN_DENSITY * (right - left):
            continue
        if LOWEST * text.em <= bottom - top <= HIGHEST * text.em:
            token_stop = _tokens_before(text, left, (top + bottom) / 2, right)
            yield _Line(left, top, right, bottom, num_characters, token_stop)


def _tokens_before(text: TextOnPage, left: int, middle: float, right: int) -> int:
    """How many tokens come before ink at this height: those in its row, or of the line above."""
    if not len(text.boxes):
        return 0
    row = np.abs(text.middles - middle) < SAME_ROW * text.em
    before = row & (text.boxes[:, 2] <= left + text.em)
    if before.any():
        nearest = np.flatnonzero(before)[text.boxes[before, 2].argmax()]
        return int(text.tokens[nearest]) + 1
    over = (text.boxes[:, 0] < right) & (text.boxes[:, 2] > left)
    above = over & ~row & (text.middles < middle)
    if above.any():
        nearest = np.flatnonzero(above)[text.middles[above].argmax()]
        return _end_of_text_above(text, int(nearest), middle)
    after = row | (over & (text.middles > middle))
    return int(text.tokens[after].min()) if after.any() else int(text.tokens.max()) + 1


def _end_of_text_above(text: TextOnPage, piece: int, middle: float) -> int:
    """How many tokens come until the end of a line, and of those after it that are above `middle`.

    The last line of a paragraph is often too short to be above a signature at the right.
    """
    line = text.lines == text.lines[piece]
    while True:
        stop = int(text.tokens[line].max()) + 1
        later = text.tokens >= stop
        if not later.any():
            return stop
        following = text.lines == text.lines[later.argmax()]
        left, right = text.boxes[line, 0].min(), text.boxes[line, 2].max()
        is_below_it = (text.boxes[following, 0] < right) & (text.boxes[following, 2] > left)
        is_above = text.middles[following] < middle - SAME_ROW * text.em
        if not (is_below_it.any() and is_above.all() and text.tokens[following].max() >= stop):
            return stop
        line = following


def _blocks(lines: Sequence[_Line], em: float) -> Iterator[list[_Line]]:
    """Lines that follow each other on the page, with no text between."""
    block: list[_Line] = []
    for line in lines:
        last = block[-1] if block else None
        if last and not (
            last.token_stop == line.token_stop
            and line.top - last.bottom < LINE_GAP * em
            and line.left < max(each.right for each in block) + ASIDE * em
            and min(each.left for each in block) < line.right + ASIDE * em
        ):
            yield block
            block = []
        block.append(line)
    if block:
        yield block
