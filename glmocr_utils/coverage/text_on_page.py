"""A reading's text as boxes on the deskewed ink of its page."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from glmocr_utils.grounding.ink import (
    INKED,
    UNITS_A_CELL,
    deskew,
    find_ink,
    find_skew,
    line_step,
)
from glmocr_utils.grounding.placed_page import ABOVE, BELOW, SMALLEST_STEP
from glmocr_utils.grounding.share import characters_with_ink
from glmocr_utils.records import Box, PageLayout, TokenBox

UNITS_AN_EM = 10  # resolution at which a page is looked at
SMALLEST_UNIT_PX = 2.0
LARGEST_UNIT_PX = 6.0
# how far letters reach beyond their box, in ems
MARGIN_ACROSS, MARGIN_DOWN = 0.3, 0.15
NEXT = 1.0  # ems to the next token of the line, at most, for the space between to be the text's
USUAL_CHARACTER = 0.45  # in ems, where there is no text to learn it from


@dataclass(frozen=True, slots=True, eq=False)
class TextOnPage:
    """What is where; lengths are in units, a tenth of an em, on the deskewed page.

    Attributes:
        ink: (height, width) of `find_ink`.
        skew: of the page: units down per unit across.
        units_per_px: across, down.
        boxes: (num_tokens, 4) left, top, right, bottom, of the tokens with ink alone.
        lines: (num_tokens,) numbers of printed lines.
        tokens: (num_tokens,) their indices in the reading.
        num_characters: (num_tokens,) with ink.
        certainty, looked_at: (num_tokens,) as in `TokenBox`.
        em: of most of the text.
        character: inked columns that a character with ink takes, on average.
        claimed: (height, width) bool: the page's text is here.
        darkness: mean ink of what is claimed, 0 to 1.
    """

    ink: np.ndarray
    skew: float
    units_per_px: tuple[float, float]
    boxes: np.ndarray
    lines: np.ndarray
    tokens: np.ndarray
    num_characters: np.ndarray
    certainty: np.ndarray
    looked_at: np.ndarray
    em: float
    character: float
    claimed: np.ndarray
    darkness: float

    @property
    def middles(self) -> np.ndarray:
        """(num_tokens,) height of each token's middle."""
        return (self.boxes[:, 1] + self.boxes[:, 3]) / 2

    def to_page(self, lines: np.ndarray) -> Box:
        """Around deskewed boxes, (num_boxes, 4), in pixels of the image."""
        across, down = self.units_per_px
        height, width = self.ink.shape
        off = self.skew * (lines[:, ::2] - width / 2)
        top, bottom = (lines[:, 1, None] + off).min(), (lines[:, 3, None] + off).max()
        top, bottom = np.clip([top, bottom], 0, height) / down
        left, right = np.clip([lines[:, 0].min(), lines[:, 2].max()], 0, width) / across
        return Box(float(left), float(top), float(right), float(bottom))

    def inside(self, box: Box) -> np.ndarray:
        """(height, width) bool: what is in a box of the image."""
        across, down = self.units_per_px
        height, width = self.ink.shape
        y, x = np.mgrid[:height, :width]
        y = y + self.skew * (x - width / 2)
        in_columns = (x >= box.left * across) & (x <= box.right * across)
        return in_columns & (y >= box.top * down) & (y <= box.bottom * down)


def text_on_page(image: Image.Image, layout: PageLayout, token_texts: Sequence[str]) -> TextOnPage:
    """Put the tokens of a page that have ink on its deskewed ink."""
    number_of = characters_with_ink(token_texts)
    found: list[tuple[int, TokenBox]] = [
        (index, token)
        for index, token in enumerate(layout.found or layout.tokens)
        if token is not None and number_of[index]
    ]
    em_px = _em_px([token.box for _, token in found])
    unit_px = np.clip(em_px / UNITS_AN_EM, SMALLEST_UNIT_PX, LARGEST_UNIT_PX)
    columns, rows = (max(1, round(side / unit_px / UNITS_A_CELL)) for side in image.size)
    ink = find_ink(image, rows, columns)
    skew = find_skew(ink)
    ink = deskew(ink, skew)
    units_per_px = ink.shape[1] / image.width, ink.shape[0] / image.height
    boxes = _deskewed([token.box for _, token in found], units_per_px, skew, ink.shape[1])
    lines = np.array([token.line_index for _, token in found], int)
    num_characters = number_of[[index for index, _ in found]]
    em = em_px * units_per_px[1] if found else _em_without_text(ink)
    claimed = _claimed(ink.shape, boxes, lines, em)
    inked = ink[claimed & (ink > INKED)]
    return TextOnPage(
        ink=ink,
        skew=skew,
        units_per_px=units_per_px,
        boxes=boxes,
        lines=lines,
        tokens=np.array([index for index, _ in found], int),
        num_characters=num_characters,
        certainty=np.array([token.certainty for _, token in found]),
        looked_at=np.array([_looked_at(token) for _, token in found]),
        em=em,
        character=_character(ink, boxes, lines, num_characters, em),
        claimed=claimed,
        darkness=float(inked.mean()) if len(inked) else 0.0,
    )


def _looked_at(token: TokenBox) -> float:
    return token.certainty if token.looked_at is None else token.looked_at


def _em_px(boxes: Sequence[Box]) -> float:
    if not boxes:
        return UNITS_AN_EM * SMALLEST_UNIT_PX
    return float(np.median([box.bottom - box.top for box in boxes])) / (ABOVE + BELOW)


def _em_without_text(ink: np.ndarray) -> float:
    step = line_step(ink)
    return step / SMALLEST_STEP if np.isfinite(step) else float(UNITS_AN_EM)


def _deskewed(
    boxes: Sequence[Box], units_per_px: tuple[float, float], skew: float, width: int
) -> np.ndarray:
    scaled = np.array([tuple(box) for box in boxes]).reshape(-1, 4) * (units_per_px * 2)
    middle = (scaled[:, 0] + scaled[:, 2]) / 2
    scaled[:, 1::2] -= (skew * (middle - width / 2))[:, None]
    return scaled


def _character(
    ink: np.ndarray, boxes: np.ndarray, lines: np.ndarray, num_characters: np.ndarray, em: float
) -> float:
    inked, total = 0, 0
    for line in np.unique(lines):
        own = lines == line
        left, top = np.rint(boxes[own, :2].min(axis=0)).astype(int).clip(0)
        right, bottom = np.rint(boxes[own, 2:].max(axis=0)).astype(int)
        inked += int((ink[top:bottom, left:right] > INKED).any(axis=0).sum())
        total += int(num_characters[own].sum())
    usual = USUAL_CHARACTER * em
    return float(np.clip(inked / total, usual / 2, usual * 2)) if total else usual


def _claimed(shape: tuple[int, int], boxes: np.ndarray, lines: np.ndarray, em: float) -> np.ndarray:
    claimed = np.zeros(shape, bool)
    rights = boxes[:, 2].copy()
    to_next = boxes[1:, 0] - boxes[:-1, 2]
    joins = (lines[1:] == lines[:-1]) & (to_next > 0) & (to_next < NEXT * em)
    rights[:-1][joins] = boxes[1:, 0][joins]
    margins = np.array([-MARGIN_ACROSS, -MARGIN_DOWN, MARGIN_ACROSS, MARGIN_DOWN]) * em
    edges = np.column_stack([boxes[:, :2], rights, boxes[:, 3]]) + margins
    for left, top, right, bottom in np.rint(edges).astype(int).clip(0).tolist():
        claimed[top : bottom + 1, left : right + 1] = True
    return claimed
