"""What an audit draws from: short flags of a page, with their predicted and their seen errors.

A unit is a word, or several in a row on one line up to 40 characters, and what follows up to the
next unit; so every character of a page's text belongs to one unit. It knows nothing of samples.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from rapidfuzz.distance import Levenshtein

from glmocr_utils.confidence import Calibration, PageTokens
from glmocr_utils.metrics import comparable_pair
from glmocr_utils.records import OcrResult

LONGEST_UNIT = 40  # characters: what a reviewer takes in at a glance
# Missing characters that count for the unit before them: a word. Whoever checks a flag sees that
# the next word is missing, and not that a line is.
LONGEST_OMISSION = 8


@dataclass(frozen=True, slots=True)
class PageUnits:
    """The units of one page, in reading order.

    Attributes:
        spans: (num_units, 2) start and stop of the words in the page's text.
        characters: (num_units,) that the headline CER counts, the space behind included.
        predicted: (num_units,) wrong tokens to expect: 1 − probability, summed.
    """

    spans: np.ndarray
    characters: np.ndarray
    predicted: np.ndarray

    def __len__(self) -> int:
        return len(self.characters)


def page_units(
    result: OcrResult, calibration: Calibration | None = None, longest: int = LONGEST_UNIT
) -> PageUnits:
    """The units of a reading; none where nothing was read.

    Args:
        calibration: turns the model's probabilities into shares of right tokens.
        longest: characters of a unit, unless one word has more; 0 makes every word a unit.

    Raises:
        ValueError: the calibration belongs to another model.
    """
    tokens = PageTokens(result)
    spans = np.array(list(_joined(result.text, tokens.words, longest)), np.int64).reshape(-1, 2)
    if not len(spans):
        return PageUnits(spans, np.zeros(0, np.int64), np.zeros(0))
    probs = np.array([token.prob for token in result.tokens])
    if calibration:
        calibration.check_fits(result)
        probs = calibration(probs)
    ends = np.array([max(start, stop - 1) for start, stop in tokens.spans])
    predicted = np.bincount(_owners(spans, ends), 1 - probs, len(spans))
    _, read = comparable_pair("", result.text)
    written_at = np.array([start for start, _ in read.spans], np.int64)
    characters = np.bincount(_owners(spans, written_at), minlength=len(spans))
    return PageUnits(spans, characters, predicted)


def edits_of_units(
    spans: Sequence[Sequence[int]] | np.ndarray, read: str, true: str
) -> tuple[np.ndarray, int]:
    """The edits of the headline CER between a page as read and as it should be, unit by unit.

    Missing characters belong to the unit before them (at the page's beginning, to the first one),
    `LONGEST_OMISSION` of them at most.

    Args:
        spans: (num_units, 2) of the units of `read`, in order.

    Returns:
        (num_units,) edits; and how many characters are missing beyond them.
    """
    if not len(spans):
        return np.zeros(0, np.int64), len(comparable_pair(true, read)[0].text)
    true_side, read_side = comparable_pair(true, read)
    starts = [start for start, _ in spans]
    changed = np.zeros(len(spans), np.int64)
    missing = np.zeros(len(spans), np.int64)
    for edit in Levenshtein.editops(true_side.text, read_side.text):
        at = edit.dest_pos - 1 if edit.tag == "delete" else edit.dest_pos
        written_at = read_side.spans[at][0] if at >= 0 else 0
        owner = max(0, bisect_right(starts, written_at) - 1)
        (missing if edit.tag == "delete" else changed)[owner] += 1
    counted = np.minimum(missing, LONGEST_OMISSION)
    return changed + counted, int((missing - counted).sum())


def _joined(text: str, words: Sequence[tuple[int, int]], longest: int) -> Iterator[tuple[int, int]]:
    """Words side by side on a line, as long as they fit."""
    start: int | None = None
    end = 0
    for begin, stop in words:
        if start is not None and (stop - start > longest or "\n" in text[start:stop]):
            yield start, end
            start = None
        start, end = begin if start is None else start, stop
    if start is not None:
        yield start, end


def _owners(spans: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """The unit that each position of the text belongs to: the last one that begins before it."""
    return np.searchsorted(spans[:, 0], positions, side="right").clip(1) - 1
