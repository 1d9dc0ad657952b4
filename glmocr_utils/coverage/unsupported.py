"""Text that looks nowhere on the page, or where other text of the reading is.

When the model makes a line up, its attention still has to go somewhere: it wanders, or it goes to
the next printed line, which is then read a second time. So the share of the attention that goes to
the box that was found falls, for that line and often for some lines after it.
"""

from collections.abc import Iterator

import numpy as np

from glmocr_utils.coverage.text_on_page import TextOnPage
from glmocr_utils.records import UnsupportedText
from glmocr_utils.records.coverage import Unsupported

WINDOW = 16  # characters over which support is averaged: a single one may look elsewhere
# Share of the attention that goes to the boxes of a window. Where it falls below the one, the run
# reaches as far as it is below the other.
MIN_SUPPORT, FULL_SUPPORT = 0.72, 0.85
MIN_CHARACTERS = 8
# of pieces that are on the same ink: in ems from middle to middle; the share of the narrower one
SAME_ROW, SHARED = 0.5, 0.5
FAR = 4  # pieces apart; nearer ones share the width of a word
ABOUT_AS_WELL = 0.05  # supported, of two texts on the same ink: then the later one is extra


def find_unsupported(text: TextOnPage) -> Iterator[UnsupportedText]:
    """Runs of tokens without support, in order."""
    if not len(text.boxes):
        return
    support = _mean_around(text.looked_at, text.num_characters)
    is_twice = _is_extra(text, support)
    is_nowhere = _reaching(support < MIN_SUPPORT, support < FULL_SUPPORT)
    for start, stop in _runs(is_twice | is_nowhere):
        own = slice(start, stop)
        num_characters = int(text.num_characters[own].sum())
        if num_characters >= MIN_CHARACTERS:
            why: Unsupported = "twice" if is_twice[own].mean() >= 0.5 else "nowhere"
            tokens = text.tokens[own]
            yield UnsupportedText(int(tokens[0]), int(tokens[-1]) + 1, num_characters, why)


def _mean_around(values: np.ndarray, num_characters: np.ndarray) -> np.ndarray:
    """(num_pieces,) the mean over a window of characters around the first of each piece."""
    of_characters = np.repeat(values, num_characters)
    wide = min(WINDOW, len(of_characters))
    until = np.concatenate([[0], of_characters.cumsum()])
    first = num_characters.cumsum() - num_characters
    start = (first - wide // 2).clip(0, len(of_characters) - wide)
    return (until[start + wide] - until[start]) / wide


def _is_extra(text: TextOnPage, support: np.ndarray) -> np.ndarray:
    """(num_pieces,) bool: other text of the reading is on the same ink, and with better reason."""
    left, _, right, _ = text.boxes.T
    number, middles = np.arange(len(left)), text.middles
    is_extra = np.zeros(len(left), bool)
    for index in number:
        near = np.abs(middles - middles[index]) < SAME_ROW * text.em
        near &= np.abs(number - index) >= FAR
        shared = np.minimum(right, right[index]) - np.maximum(left, left[index])
        others = np.flatnonzero(near & (shared > SHARED * (right[index] - left[index])))
        if len(others):
            better = support[others].max() - support[index]
            is_later = index > others.min()
            is_extra[index] = better > (-ABOUT_AS_WELL if is_later else ABOUT_AS_WELL)
    return is_extra


def _reaching(seeds: np.ndarray, within: np.ndarray) -> np.ndarray:
    """The runs of `within` that have a seed."""
    found = np.zeros(len(seeds), bool)
    for start, stop in _runs(within):
        found[start:stop] = seeds[start:stop].any()
    return found


def _runs(values: np.ndarray) -> list[list[int]]:
    """(start, stop) of each run of True."""
    padded = np.concatenate([[False], values, [False]])
    return np.flatnonzero(padded[1:] != padded[:-1]).reshape(-1, 2).tolist()
