"""The pieces of a reading's text as boxes on the deskewed ink.

All lengths are in units of `grounding.ink`.
"""

from dataclasses import dataclass

import numpy as np

from glmocr_utils.grounding.ink import INKED
from glmocr_utils.grounding.placed_page import ABOVE, BELOW, SMALLEST_STEP, PlacedPage
from glmocr_utils.grounding.placing import USUAL_EM

# how far letters reach beyond their box, in ems
MARGIN_ACROSS, MARGIN_DOWN = 0.3, 0.15
USUAL_CHARACTER = 0.45  # in ems, where there is no text to learn it from
NEXT = 1.0  # ems to the next piece of the line, at most, for the space between to be the text's


@dataclass(frozen=True, slots=True, eq=False)
class TextOnPage:
    """What is where.

    Attributes:
        boxes: (num_pieces, 4) left, top, right, bottom on the deskewed page.
        lines: (num_pieces,) numbers of printed lines.
        tokens: (num_pieces,) that write them.
        num_characters: (num_pieces,) with ink.
        certainty, looked_at: (num_pieces,) as in `PlacedPiece`.
        em: of most of the text.
        character: inked columns that a character with ink takes, on average.
        claimed: (height, width) bool: the page's text is here.
        darkness: mean ink of what is claimed, 0 to 1.
    """

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
        """(num_pieces,) height of each piece's middle."""
        return (self.boxes[:, 1] + self.boxes[:, 3]) / 2


def text_on_page(placed: PlacedPage) -> TextOnPage:
    """Put the pieces of a page on its deskewed ink."""
    pieces = placed.pieces
    boxes = _deskewed(placed)
    lines = np.array([each.line_index for each in pieces], int)
    num_characters = np.array([len(each.piece.units) for each in pieces], int)
    em = _em(placed, boxes)
    claimed = _claimed(placed.ink.shape, boxes, lines, em)
    inked = placed.ink[claimed & (placed.ink > INKED)]
    return TextOnPage(
        boxes=boxes,
        lines=lines,
        tokens=np.array([each.piece.token for each in pieces], int),
        num_characters=num_characters,
        certainty=np.array([each.certainty for each in pieces]),
        looked_at=np.array([each.looked_at for each in pieces]),
        em=em,
        character=_character(placed.ink, boxes, lines, num_characters, em),
        claimed=claimed,
        darkness=float(inked.mean()) if len(inked) else 0.0,
    )


def _em(placed: PlacedPage, boxes: np.ndarray) -> float:
    if len(boxes):
        return float(np.median(boxes[:, 3] - boxes[:, 1])) / (ABOVE + BELOW)
    return placed.line_step / SMALLEST_STEP if np.isfinite(placed.line_step) else USUAL_EM


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


def _deskewed(placed: PlacedPage) -> np.ndarray:
    across, down = placed.units_per_px
    scale = np.array([across, down] * 2)
    boxes = np.array([tuple(each.box) for each in placed.pieces]).reshape(-1, 4) * scale
    middle = (boxes[:, 0] + boxes[:, 2]) / 2
    boxes[:, 1::2] -= (placed.skew * (middle - placed.ink.shape[1] / 2))[:, None]
    return boxes


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
