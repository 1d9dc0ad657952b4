"""Which ink of a page is text, and not rules, pictures, stamps, borders, noise and show-through.

Text is of one size, nearly as dark as the rest of the text, and changes between ink and paper about
as often as letters do. All lengths are in units of `text_on_page`.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from glmocr_utils.grounding.ink import INKED

# in ems
SPECK = 0.22  # dots and noise are smaller, both ways
RULE_HEIGHT, RULE_LENGTH = 0.35, 2.5
HIGHEST = 2.2  # a line of large type, or two lines of text that touch
STROKE = 0.35  # letters have hardly any ink that is as wide both ways
SOLID = 0.3  # of a mark's ink, that is: a mark of more is a piece of a picture, or a hole
DENSE = 0.3  # of the box of a large mark, that is ink: a picture; a frame is less dense
FAINT = 0.5  # of the page's own print: what is less dark shows through, or is dirt


@dataclass(frozen=True, slots=True, eq=False)
class TextInk:
    """The marks on a page that may be text.

    Attributes:
        labels: (height, width) the number of the mark at each place, from 1; 0 where there is none.
        boxes: (num_marks, 4) left, top, right, bottom of each mark, ends exclusive.
    """

    labels: np.ndarray
    boxes: np.ndarray


def find_text_ink(ink: np.ndarray, em: float, darkness: float) -> TextInk:
    """The marks of the size and darkness of text.

    Args:
        ink: deskewed, of `grounding.ink.find_ink`.
        em: of most of the page's text.
        darkness: mean ink of most of the page's text.
    """
    inked = ink > INKED
    labels, _ = ndimage.label(inked, np.ones((3, 3), int))
    boxes = _boxes(labels)
    numbers = np.arange(1, len(boxes) + 1)
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    strength = np.asarray(ndimage.mean(ink, labels, numbers))
    area = np.bincount(labels.ravel(), minlength=len(boxes) + 1)[1:]
    wide = max(3, round(STROKE * em))
    thick = ndimage.binary_opening(inked, np.ones((wide, wide), bool))
    solid = np.bincount(labels[thick], minlength=len(boxes) + 1)[1:] / np.maximum(area, 1)
    is_speck = (width < SPECK * em) & (height < SPECK * em)
    is_rule = (height < RULE_HEIGHT * em) & (width > RULE_LENGTH * em)
    is_rule |= (width < RULE_HEIGHT * em) & (height > RULE_LENGTH * em)
    is_high = height > HIGHEST * em
    is_picture = is_high & (width > HIGHEST * em) & (area > DENSE * width * height)
    is_faint = strength < FAINT * darkness
    is_text = ~(is_speck | is_rule | is_faint | is_high | (solid > SOLID))
    is_text &= ~_is_within(boxes, boxes[is_picture])
    new_numbers = np.concatenate([[0], np.where(is_text, is_text.cumsum(), 0)])
    return TextInk(new_numbers[labels], boxes[is_text])


def _is_within(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(num_boxes,) bool: the middle of each is in one of the others."""
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    left, top, right, bottom = others.T[:, None, :]
    x, y = x[:, None], y[:, None]
    return ((x > left) & (x < right) & (y > top) & (y < bottom)).any(axis=1)


def _boxes(labels: np.ndarray) -> np.ndarray:
    slices = ndimage.find_objects(labels)
    boxes = [(x.start, y.start, x.stop, y.stop) for y, x in slices]
    return np.array(boxes, int).reshape(-1, 4)
