"""Which pages a person should look at first."""

from collections.abc import Sequence

from glmocr_utils.confidence.calibration import Calibration, ExpectedErrors, expected_errors
from glmocr_utils.confidence.risk import WordRisk
from glmocr_utils.records import OcrResult


def rank_pages(
    results: Sequence[OcrResult],
    calibration: Calibration | None = None,
    risk: WordRisk | None = None,
) -> list[tuple[OcrResult, ExpectedErrors]]:
    """Pages by expected errors, most first; what was left out or made up counts as errors.

    Pages with ink of which nothing was read lead, then those that looped or were cut, or have a
    region that was not read.

    Args:
        risk: the words that it expects to be wrong count instead of tokens, where it knows the
            page.
    """
    ranked = [(result, expected_errors(result, calibration)) for result in results]
    return sorted(
        ranked,
        key=lambda pair: (*_urgency(pair[0]), -errors_to_rank_by(pair[0], calibration, risk)),
    )


def errors_to_rank_by(
    result: OcrResult, calibration: Calibration | None = None, risk: WordRisk | None = None
) -> float:
    """Errors to expect on a page, with what was left out and what was made up.

    Wrong words where the risk knows the page, otherwise wrong tokens; infinite where nothing was
    read.
    """
    words = risk.wrong_words(result) if risk and result.tokens else None
    errors = expected_errors(result, calibration).mean if words is None else words
    return errors + lacking(result)


def lacking(result: OcrResult) -> float:
    """Characters that were left out or made up, as far as that was looked for and is clear."""
    if result.coverage is None:
        return 0.0
    return (result.coverage.unread_characters or 0) + result.coverage.unsupported_characters


def _urgency(result: OcrResult) -> tuple[bool, bool]:
    return result.status != "empty", result.status not in ("failed", "looped", "truncated")
