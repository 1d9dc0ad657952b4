"""How sure an error rate is, and the difference of two: the bootstrap over documents."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000
MIN_DOCUMENTS = 5  # with fewer, pages are drawn instead of documents


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
    """The same pages, read twice.

    Attributes:
        before, after: corpus CER.
        change: after minus before; below 0 is better. The interval is of the pages' own
            differences, so it is narrower than the two intervals suggest.
        resampled: what was drawn for the intervals: `documents` or `pages`.
        drawn: how many of them there are.
    """

    before: Estimate
    after: Estimate
    change: Estimate
    resampled: str
    drawn: int

    @property
    def verdict(self) -> str:
        """`better`, `worse` or `no sure difference`: a single page shows nothing of others."""
        if self.drawn < 2:
            return "no sure difference"
        if self.change.high < 0:
            return "better"
        return "worse" if self.change.low > 0 else "no sure difference"


def bootstrap(
    documents: Sequence[Hashable],
    lengths: Sequence[int],
    edits: Sequence[Sequence[int]],
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray, str]:
    """Corpus error rates and what they would have been on other documents of the same kind.

    Documents are drawn with replacement, since pages of one document err alike (Efron 1979); pages,
    where there are fewer than five documents.

    Args:
        documents: (num_pages,) of each page.
        lengths: (num_pages,) characters of the reference.
        edits: (num_readings, num_pages) edits of one or several readings of the same pages.

    Returns:
        (num_readings,) rates; (num_readings, RESAMPLES) drawn rates, the same documents for all
        readings; and what was drawn, `documents` or `pages`.
    """
    by_document = len(set(documents)) >= MIN_DOCUMENTS
    groups = list(documents) if by_document else list(range(len(documents)))
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    group_of_page = [numbers[group] for group in groups]
    length, *of_readings = (
        np.bincount(group_of_page, values, len(numbers)) for values in (lengths, *edits)
    )
    drawn = np.random.default_rng(seed).integers(len(numbers), size=(RESAMPLES, len(numbers)))
    total = np.maximum(1, length[drawn].sum(axis=1))
    rates = np.array([each.sum() / max(1, length.sum()) for each in of_readings])
    resampled = np.array([each[drawn].sum(axis=1) / total for each in of_readings])
    return rates, resampled, "documents" if by_document else "pages"


def estimate(value: float, resampled: np.ndarray) -> Estimate:
    """A value with the middle 95 % of what was drawn."""
    low, high = np.quantile(resampled, (0.025, 0.975))
    return Estimate(float(value), float(low), float(high))


def paired_bootstrap(
    documents: Sequence[Hashable],
    lengths: Sequence[int],
    edits_before: Sequence[int],
    edits_after: Sequence[int],
    seed: int = 0,
) -> Comparison:
    """Corpus error rates of two readings of the same pages (Koehn 2004).

    Args:
        documents, lengths: as in `bootstrap`.
        edits_before, edits_after: (num_pages,)
    """
    rates, drawn, resampled = bootstrap(documents, lengths, (edits_before, edits_after), seed)
    return Comparison(
        estimate(rates[0], drawn[0]),
        estimate(rates[1], drawn[1]),
        estimate(rates[1] - rates[0], drawn[1] - drawn[0]),
        resampled,
        len(set(documents)) if resampled == "documents" else len(documents),
    )
