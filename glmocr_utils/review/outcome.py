"""What pages say after a review, for other formats."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from glmocr_utils.records import (
    TEXT_COVERAGES,
    Decision,
    OcrResult,
    PageRef,
    read_decisions,
    standing,
)
from glmocr_utils.review.decision_log import decisions_about
from glmocr_utils.review.page_review import PageReview


def corrected_texts(results: Sequence[OcrResult], log_path: str | Path) -> dict[PageRef, str]:
    """The texts of the pages about which something was decided, as they are now.

    A page need not be finished. One that was put aside, as not usable or to be read again, has an
    empty text.

    Args:
        log_path: the `review.jsonl` of notebook 03; where there is none, nothing was decided.
            Decisions about other readings do not count.

    Raises:
        ValueError: it isn't such a log.
    """
    decided: dict[int, list[Decision]] = defaultdict(list)
    for number, decision in decisions_about(read_decisions(Path(log_path)), results):
        decided[number].append(decision)
    return {
        results[number].page: _text(results[number], left)
        for number, decisions in decided.items()
        if (left := standing(decisions))
    }


def _text(result: OcrResult, decisions: Sequence[Decision]) -> str:
    page = PageReview(result, flags=[])
    page.replay(decisions)
    was_put_aside = page.coverage is not None and page.coverage not in TEXT_COVERAGES
    return "" if was_put_aside else page.text
