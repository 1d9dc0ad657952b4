"""Before against after: whether the model reads better, how surely, and what got worse."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rapidfuzz.distance import Levenshtein

from glmocr_utils.confidence import mark_tokens, reliability
from glmocr_utils.finetune.evaluation import PageReading
from glmocr_utils.metrics import cer, character_edits, corpus_cer

RESAMPLES = 2000
MIN_DOCUMENTS = 5  # with fewer, pages are drawn instead of documents
NOTHING = "∅"  # in a confusion: no character on this side


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2%} ({self.low:.2%} to {self.high:.2%})"


@dataclass(frozen=True, slots=True)
class Comparison:
    """The same pages, read before and after training.

    Attributes:
        before, after: corpus CER.
        change: after minus before; below 0 is better. The interval is of the pages' own
            differences, so it is narrower than the two intervals suggest.
        resampled: what was drawn for the intervals: `documents` or `pages`.
    """

    before: Estimate
    after: Estimate
    change: Estimate
    resampled: str

    @property
    def verdict(self) -> str:
        """One word for people."""
        if self.change.high < 0:
            return "better"
        return "worse" if self.change.low > 0 else "no sure difference"


@dataclass(frozen=True, slots=True)
class DocumentChange:
    """One document's pages before and after."""

    document: str
    num_pages: int
    num_characters: int
    cer_before: float
    cer_after: float


def compare(
    before: Sequence[PageReading], after: Sequence[PageReading], seed: int = 0
) -> Comparison:
    """Corpus CER before and after, with intervals from a paired bootstrap.

    Documents are drawn with replacement, since pages of one document err alike (Efron 1979; for
    paired systems Koehn 2004); pages, where there are fewer than five documents.

    Raises:
        ValueError: the two lists are not of the same pages.
    """
    _check_same_pages(before, after)
    documents = [reading.document for reading in before]
    by_document = len(set(documents)) >= MIN_DOCUMENTS
    groups = documents if by_document else list(range(len(before)))
    _, group_of_page = np.unique(np.array(groups, dtype=object).astype(str), return_inverse=True)
    num_groups = int(group_of_page.max()) + 1
    lengths, edits_before, edits_after = (
        np.bincount(group_of_page, values, num_groups)
        for values in (
            [len(reading.pair[0]) for reading in before],
            [character_edits(*reading.pair) for reading in before],
            [character_edits(*reading.pair) for reading in after],
        )
    )
    drawn = np.random.default_rng(seed).integers(num_groups, size=(RESAMPLES, num_groups))
    total = np.maximum(1, lengths[drawn].sum(axis=1))
    resampled = {
        "before": edits_before[drawn].sum(axis=1) / total,
        "after": edits_after[drawn].sum(axis=1) / total,
    }
    values = {
        "before": edits_before.sum() / max(1, lengths.sum()),
        "after": edits_after.sum() / max(1, lengths.sum()),
    }
    return Comparison(
        before=_estimate(values["before"], resampled["before"]),
        after=_estimate(values["after"], resampled["after"]),
        change=_estimate(
            values["after"] - values["before"], resampled["after"] - resampled["before"]
        ),
        resampled="documents" if by_document else "pages",
    )


def compare_documents(
    before: Sequence[PageReading], after: Sequence[PageReading]
) -> list[DocumentChange]:
    """Each document's CER before and after, the most improved one first."""
    _check_same_pages(before, after)
    pages: dict[str, list[tuple[PageReading, PageReading]]] = defaultdict(list)
    for first, second in zip(before, after, strict=True):
        pages[first.document].append((first, second))
    changes = [
        DocumentChange(
            document,
            len(pairs),
            sum(len(first.pair[0]) for first, _ in pairs),
            corpus_cer(first.pair for first, _ in pairs),
            corpus_cer(second.pair for _, second in pairs),
        )
        for document, pairs in pages.items()
    ]
    return sorted(changes, key=lambda change: change.cer_after - change.cer_before)


def most_changed(
    before: Sequence[PageReading], after: Sequence[PageReading]
) -> list[tuple[PageReading, PageReading]]:
    """The pages before and after, the most improved first and the most worsened last."""
    _check_same_pages(before, after)
    pairs = list(zip(before, after, strict=True))
    return sorted(pairs, key=lambda pair: cer(*pair[1].pair) - cer(*pair[0].pair))


def confusions(readings: Sequence[PageReading]) -> Counter[tuple[str, str]]:
    """How often a character of the reference was read as another one.

    A character that was missed is read as `∅`; one that was made up stands for `∅`.
    """
    found: Counter[tuple[str, str]] = Counter()
    for reading in readings:
        reference, prediction = reading.pair
        for tag, source, destination in Levenshtein.editops(reference, prediction):
            expected = NOTHING if tag == "insert" else reference[source]
            got = NOTHING if tag == "delete" else prediction[destination]
            found[expected, got] += 1
    return found


def changed_confusions(
    before: Sequence[PageReading], after: Sequence[PageReading]
) -> list[tuple[str, str, int, int]]:
    """(expected, read as, times before, times after), what changed most first."""
    first, second = confusions(before), confusions(after)
    rows = [(*pair, first[pair], second[pair]) for pair in first.keys() | second.keys()]
    return sorted(rows, key=lambda row: (-abs(row[3] - row[2]), row[:2]))


def calibration_error(readings: Sequence[PageReading]) -> float:
    """How far stated probabilities are from the share of right tokens: expected calibration error.

    The mean distance over ten bins of equally many tokens (Naeini et al. 2015); 0 for no tokens.
    """
    marked = [mark_tokens(reading.result, reading.reference) for reading in readings]
    probs = [token.prob for page in marked for token in page.result.tokens]
    is_wrong = [wrong for page in marked for wrong in page.is_wrong]
    if not probs:
        return 0.0
    stated, right = reliability(probs, is_wrong)
    return float(np.abs(stated - right).mean())


def _estimate(value: float, resampled: np.ndarray) -> Estimate:
    low, high = np.quantile(resampled, (0.025, 0.975))
    return Estimate(float(value), float(low), float(high))


def _check_same_pages(before: Sequence[PageReading], after: Sequence[PageReading]) -> None:
    if not before or [r.reference for r in before] != [r.reference for r in after]:
        raise ValueError(
            f"only the same pages can be compared, got {len(before)} before and {len(after)} after"
        )
