"""How sure the model was, what that is worth, and where a person should look first.

A probability here is the model's own, of the token it chose; it isn't a share of right tokens until
a `Calibration` has made it one.
"""

from glmocr_utils.confidence.calibration import (
    Calibration,
    ExpectedErrors,
    can_calibrate,
    expected_errors,
    fit_calibration,
    load_calibration,
    save_calibration,
    unseen_errors,
)
from glmocr_utils.confidence.correctness import MarkedPage, load_references, mark_pages, mark_tokens
from glmocr_utils.confidence.curves import (
    CaughtErrors,
    errors_caught,
    precision_recall,
    reliability,
    risk_coverage,
    suspicions,
)
from glmocr_utils.confidence.ranking import errors_to_rank_by, rank_pages
from glmocr_utils.confidence.risk import (
    WordRisk,
    can_fit_risk,
    fit_risk,
    load_risk,
    risk_beside,
    save_risk,
    word_features,
    wrong_words,
)
from glmocr_utils.confidence.unsure import (
    STEP_BOUNDS,
    WORST_STEP,
    ProbabilitySummary,
    WorstToken,
    lines_of_tokens,
    step_of,
    summarize,
    worst_tokens,
)
from glmocr_utils.confidence.verdict import (
    NextStep,
    PageQuality,
    Verdict,
    other_scale,
    reading_verdict,
    verdict_of_results,
)
from glmocr_utils.confidence.words import (
    Change,
    Choice,
    PageTokens,
    changed,
    smallest_change,
    words_of_tokens,
)

__all__ = [
    "STEP_BOUNDS",
    "WORST_STEP",
    "Calibration",
    "CaughtErrors",
    "Change",
    "Choice",
    "ExpectedErrors",
    "MarkedPage",
    "NextStep",
    "PageQuality",
    "PageTokens",
    "ProbabilitySummary",
    "Verdict",
    "WordRisk",
    "WorstToken",
    "can_calibrate",
    "can_fit_risk",
    "changed",
    "errors_caught",
    "errors_to_rank_by",
    "expected_errors",
    "fit_calibration",
    "fit_risk",
    "lines_of_tokens",
    "load_calibration",
    "load_references",
    "load_risk",
    "mark_pages",
    "mark_tokens",
    "other_scale",
    "precision_recall",
    "rank_pages",
    "reading_verdict",
    "reliability",
    "risk_beside",
    "risk_coverage",
    "save_calibration",
    "save_risk",
    "smallest_change",
    "step_of",
    "summarize",
    "suspicions",
    "unseen_errors",
    "verdict_of_results",
    "word_features",
    "words_of_tokens",
    "worst_tokens",
    "wrong_words",
]
