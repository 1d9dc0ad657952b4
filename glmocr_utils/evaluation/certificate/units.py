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
# Missing characters that count for the unit before them: a word. A person who checks a flag sees
# that the next word is missing, and not that a line is.
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


def stretches(
    spans: Sequence[Sequence[int]] | np.ndarray, read: str, true: str
) -> list[tuple[str, str]]:
    """What each unit of a page says and what it should say, layout aside.

    The alignment is that of the headline CER. Characters that are missing belong to the unit before
    them, or to the first one.

    Args:
        spans: (num_units, 2) of the units of `read`, in order.
    """
    if not len(spans):
        return []
    true_side, read_side = comparable_pair(true, read)
    written_at = np.array([start for start, _ in read_side.spans], np.int64)
    owners = _owners(np.asarray(spans), written_at)
    starts = [0, *np.searchsorted(owners, np.arange(1, len(spans))).tolist()]
    in_true = _positions_in(true_side.text, read_side.text, starts)
    bounds = [*starts, len(read_side.text)]
    ends = [0, *(in_true[start] for start in starts[1:]), len(true_side.text)]
    return [
        (read_side.text[bounds[n] : bounds[n + 1]], true_side.text[ends[n] : ends[n + 1]])
        for n in range(len(spans))
    ]


def edits_of(read: str, true: str) -> int:
    """The errors of a unit; of the characters that are missing, `LONGEST_OMISSION` count."""
    if read == true:
        return 0
    return Levenshtein.distance(true, read) - max(0, len(true) - len(read) - LONGEST_OMISSION)


def _positions_in(true: str, read: str, starts: Sequence[int]) -> list[int]:
    """For each position of `read`, and its end, the one in `true` after all that is missing there.

    `one three` for `one two three` lacks `two ` as well as `wo t`. Where the missing characters may
    lie before a unit, they do: a person who checks the unit before misses them there.

    Args:
        starts: of the units in `read`.
    """
    positions = [0] * (len(read) + 1)
    for edit in Levenshtein.opcodes(true, read):
        first, stop, begin, end = edit.src_start, edit.src_end, edit.dest_start, edit.dest_end
        for offset in range(end - begin + 1):
            positions[begin + offset] = first if edit.tag == "insert" else min(first + offset, stop)
        positions[end] = stop
        start = starts[bisect_right(starts, begin) - 1]
        length = begin - start
        if (
            edit.tag == "delete"
            and positions[start] == first - length
            and true[first - length : first] == read[start:begin] == true[stop - length : stop]
        ):
            positions[start] = stop - length
    return positions


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
