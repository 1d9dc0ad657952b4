"""Ink that looks like text, and that no text of the reading is on.

All lengths are in units of `text_on_page`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from glmocr_utils.coverage.place_in_text import Edges, tokens_before
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
PROSE = 8.0  # the width of a column's lines, at least
MIN_DENSITY = 0.25  # of the columns of a line; less are scattered marks


@dataclass(frozen=True, slots=True)
class _Line:
    """Unread ink in a row; edges on the deskewed page."""

    left: int
    top: int
    right: int
    bottom: int
    num_characters: float
    token_stop: int = 0

    @property
    def edges(self) -> Edges:
        return self.left, self.top, self.right, self.bottom


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
        edges = np.array([line.edges for line in block])
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


def _lines(unread: np.ndarray, text: TextOnPage) -> list[_Line]:
    found = list(_inked_lines(unread, text))
    sides = np.array([(line.left, line.right) for line in found]).reshape(-1, 2)
    lines = []
    for line in found:
        beside = (sides[:, 0] < line.right) & (sides[:, 1] > line.left)
        is_prose = np.ptp(sides[beside], axis=1).max() >= PROSE * text.em
        lines.append(replace(line, token_stop=tokens_before(text, line.edges, is_prose)))
    return lines


def _inked_lines(unread: np.ndarray, text: TextOnPage) -> Iterator[_Line]:
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
            yield _Line(left, top, right, bottom, num_characters)


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
