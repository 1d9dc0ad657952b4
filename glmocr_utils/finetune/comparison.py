"""Before against after: whether the model reads better, how surely, and what got worse."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glmocr_utils.confidence import mark_tokens, reliability
from glmocr_utils.evaluation.bootstrap import Comparison, paired_bootstrap
from glmocr_utils.evaluation.comparison import ChangedConfusion, confusion_changes, confusions
from glmocr_utils.finetune.evaluation import PageReading
from glmocr_utils.metrics import cer, character_edits, corpus_cer


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
        ValueError: the two lists are not of the same pages, or there are none.
    """
    _check_same_pages(before, after)
    if not before:
        raise ValueError("there are no pages to compare; hold some out")
    return paired_bootstrap(
        [reading.document for reading in before],
        [len(reading.pair[0]) for reading in before],
        [character_edits(*reading.pair) for reading in before],
        [character_edits(*reading.pair) for reading in after],
        seed,
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


def worst_after(
    before: Sequence[PageReading], after: Sequence[PageReading], count: int = 3
) -> list[tuple[PageReading, PageReading]]:
    """The pages that are read worst after training, of those with an error: before and after."""
    _check_same_pages(before, after)
    wrong = [pair for pair in zip(before, after, strict=True) if cer(*pair[1].pair)]
    return sorted(wrong, key=lambda pair: -cer(*pair[1].pair))[:count]


def changed_confusions(
    before: Sequence[PageReading], after: Sequence[PageReading]
) -> list[ChangedConfusion]:
    """(expected, read as, times before, times after), what changed most first."""
    first, second = (confusions(reading.pair for reading in each) for each in (before, after))
    return confusion_changes(first, second)


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


def _check_same_pages(before: Sequence[PageReading], after: Sequence[PageReading]) -> None:
    if [r.reference for r in before] != [r.reference for r in after]:
        raise ValueError(
            f"only the same pages can be compared, got {len(before)} before and {len(after)} after"
        )
