"""Pages on which two sources disagree: both texts stay; `display` shows them side by side."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from glmocr_utils.labels.store import PRECEDENCE, LabelStore
from glmocr_utils.metrics import DiffSegment, diff_segments, headline_cer
from glmocr_utils.records import Label


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Two labels of one page whose texts differ.

    Attributes:
        first, second: the labels; `first` is the more trusted one, otherwise the older one.
        cer: headline CER, layout left aside, with `first` as the reference.
    """

    first: Label
    second: Label
    cer: float

    def segments(self) -> list[DiffSegment]:
        """The two texts character by character."""
        return diff_segments(self.first.text, self.second.text)


def source_pairs(store: LabelStore) -> Iterator[tuple[Label, Label]]:
    """For each page, each two of its sources: the last label of either that is not rejected."""
    for key in dict.fromkeys(label.key for label in store.labels()):
        last = {label.source: label for label in store.standing(key)}
        yield from combinations(last.values(), 2)


def find_disagreements(store: LabelStore, min_cer: float = 0.0) -> list[Disagreement]:
    """The pairs whose texts differ by more than `min_cer`, the furthest apart first."""
    found = []
    for pair in source_pairs(store):
        first, second = sorted(pair, key=lambda label: -PRECEDENCE[label.status])
        rate = headline_cer(first.text, second.text)
        if rate > min_cer:
            found.append(Disagreement(first, second, rate))
    return sorted(found, key=lambda disagreement: -disagreement.cer)
