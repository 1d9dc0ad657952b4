"""Text that looks nowhere on the page, or where other text of the reading is.

When the model makes a line up, its attention still has to go somewhere: it wanders, or it goes to
the next printed line, which is then read a second time. So the share of the attention that goes to
the box that was found falls, for that line and often for some lines after it. How large it usually
is differs from model to model; `ground` measures it (`HeadChoice.usual_share`).
"""

from collections.abc import Iterator

import numpy as np

from glmocr_utils.coverage.text_on_page import TextOnPage
from glmocr_utils.grounding.ink import INKED
from glmocr_utils.grounding.placed_page import ABOVE, BELOW, SMALLEST_STEP
from glmocr_utils.grounding.share import mean_around
from glmocr_utils.records import UnsupportedText
from glmocr_utils.records.coverage import Unsupported

# Attention that goes to the boxes of a stretch of text, in terms of the model's usual share. Where
# it falls below the one, the run reaches as far as it is below the other. Chosen with models of
# bytes and of word pieces, whose usual shares are 0.97 and 0.81.
MIN_SUPPORT, FULL_SUPPORT = 0.745, 0.879
MIN_CHARACTERS = 8
# of pieces that are on the same ink: in ems from middle to middle; the share of a piece's width
SAME_ROW, SHARED = 0.5, 0.5
# Lines of text that follow each other are never placed on the same row: a line that was read twice
# is placed on the upper and the lower half of its print. There is only one line of print if its ink
# has no valley there. In ems from middle to middle; in ems beyond both; share of the ink on each
# side.
NEXT_ROW, AROUND, VALLEY = SMALLEST_STEP + 0.05, 0.3, 0.35
FAR = 3  # characters between them, at least: nearer ones share the width of a word
ABOUT_AS_WELL = 0.05  # supported, of two texts on the same ink: then the later one is extra


def find_unsupported(text: TextOnPage) -> Iterator[UnsupportedText]:
    """Runs of tokens without support, in order."""
    if not len(text.boxes):
        return
    support = mean_around(text.looked_at, text.num_characters)
    is_twice = _is_extra(text, support)
    is_nowhere = _reaching(support < MIN_SUPPORT, support < FULL_SUPPORT)
    for start, stop in _runs(is_twice | is_nowhere):
        own = slice(start, stop)
        num_characters = int(text.num_characters[own].sum())
        if num_characters >= MIN_CHARACTERS:
            why: Unsupported = "twice" if is_twice[own].mean() >= 0.5 else "nowhere"
            tokens = text.tokens[own]
            yield UnsupportedText(int(tokens[0]), int(tokens[-1]) + 1, num_characters, why)


def _is_extra(text: TextOnPage, support: np.ndarray) -> np.ndarray:
    """(num_pieces,) bool: other text of the reading is on the same ink, and with better reason."""
    left, top, right, bottom = text.boxes.T
    ems = (bottom - top) / (ABOVE + BELOW)
    middles = text.middles
    stops = text.num_characters.cumsum()
    starts = stops - text.num_characters
    is_one_line = _LinesOfPrint(text)
    is_extra = np.zeros(len(left), bool)
    for index in range(len(left)):
        off = np.abs(middles - middles[index])
        between = np.maximum(starts - stops[index], starts[index] - stops)
        em = np.maximum(ems, ems[index])
        shared = (np.minimum(right, right[index]) - np.maximum(left, left[index])).clip(0)
        near = (off < NEXT_ROW * em) & (between >= FAR) & (shared > 0)
        others = [
            other
            for other in np.flatnonzero(near).tolist()
            if off[other] < SAME_ROW * em[other]
            or is_one_line(text.lines[index], text.lines[other])
        ]
        if shared[others].sum() > SHARED * (right[index] - left[index]):
            better = support[others].max() - support[index]
            is_later = index > min(others)
            is_extra[index] = better > (-ABOUT_AS_WELL if is_later else ABOUT_AS_WELL)
    return is_extra


class _LinesOfPrint:
    """Whether two lines of the text, placed close to each other, are on one line of print."""

    def __init__(self, text: TextOnPage) -> None:
        self._text = text
        self._known: dict[tuple[int, int], bool] = {}

    def __call__(self, line: int, other: int) -> bool:
        pair = (int(min(line, other)), int(max(line, other)))
        if pair not in self._known:
            self._known[pair] = pair[0] != pair[1] and not self._has_valley(*pair)
        return self._known[pair]

    def _has_valley(self, line: int, other: int) -> bool:
        text = self._text
        own = [text.lines == number for number in (line, other)]
        middles = [np.median(text.middles[each]) for each in own]
        around = AROUND * max(np.ptp(text.boxes[each, 1::2], axis=1).max() for each in own)
        top, bottom = min(middles) - around, max(middles) + around
        left = max(text.boxes[each, 0].min() for each in own)
        right = min(text.boxes[each, 2].max() for each in own)
        rows, columns = (
            slice(max(0, round(start)), round(stop) + 1)
            for start, stop in ((top, bottom), (left, right))
        )
        ink = (text.ink[rows, columns] > INKED).sum(axis=1)
        if not ink.any():
            return False
        before, after = np.maximum.accumulate(ink), np.maximum.accumulate(ink[::-1])[::-1]
        return bool((ink < VALLEY * np.minimum(before, after)).any())


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
