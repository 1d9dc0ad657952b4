"""What looking at the suspicious tokens is worth: how many errors for how many looks.

All curves are over tokens whose truth is known (`mark_tokens`). The measures are scikit-learn's
where it has them; importing it takes seconds, so that is done where it is used.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glmocr_utils.confidence.correctness import MarkedPage
from glmocr_utils.confidence.words import words_of_tokens
from glmocr_utils.records import OcrResult, TokenProb


@dataclass(frozen=True, slots=True)
class CaughtErrors:
    """Errors found when the most suspicious tokens are looked at first.

    Attributes:
        reviewed, caught: (num_tokens + 1,) shares, 0 to 1, of all tokens and of all wrong ones.
        auroc: how often a wrong token is more suspicious than a right one; 0.5 is chance.
        average_precision: area under precision over recall; chance is the share of wrong tokens.
    """

    reviewed: np.ndarray
    caught: np.ndarray
    auroc: float
    average_precision: float

    def caught_at(self, share: float) -> float:
        """Share of the errors that are found by looking at this share of the tokens."""
        return float(np.interp(share, self.reviewed, self.caught))


def suspicions(result: OcrResult) -> dict[str, np.ndarray]:
    """Four scores for a page's tokens, (num_tokens,) each; the higher, the more suspicious.

    `probability`: 1 - that of the chosen token. `margin`: 1 - its lead over the best other one.
    `entropy`: in nats, over the recorded alternatives and all others as one. `word`: 1 - the lowest
    probability in the token's word. Margin and entropy need alternatives; a token without any has
    those of a choice between itself and the rest.
    """
    probability = np.array([1 - token.prob for token in result.tokens])
    word = probability.copy()
    for indices in words_of_tokens(result):
        of_word = slice(indices.start, indices.stop)  # a token may be in two words
        word[of_word] = np.maximum(word[of_word], probability[of_word].max())
    return {
        "probability": probability,
        "margin": np.array([1 - _lead(token) for token in result.tokens]),
        "entropy": np.array([_entropy(token) for token in result.tokens]),
        "word": word,
    }


def _lead(token: TokenProb) -> float:
    others = [other.prob for other in token.alternatives if other.token_id != token.token_id]
    return token.prob - max(others, default=1 - token.prob)


def _entropy(token: TokenProb) -> float:
    known = {other.token_id: other.prob for other in token.alternatives}
    known[token.token_id] = token.prob
    rest = max(0.0, 1 - sum(known.values()))
    return -sum(prob * math.log(prob) for prob in (*known.values(), rest) if prob > 0)


def errors_caught(pages: Sequence[MarkedPage], score: str = "probability") -> CaughtErrors:
    """How fast errors are found over all `pages`, most suspicious token first.

    Args:
        score: one of `suspicions`.

    Raises:
        ValueError: no token is wrong, or none is right: there is nothing to rank.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    suspicion, is_wrong = _gather(pages, score)
    order = np.argsort(-suspicion, kind="stable")
    found = np.concatenate([[0], np.cumsum(is_wrong[order])])
    return CaughtErrors(
        reviewed=np.arange(len(found)) / (len(found) - 1),
        caught=found / found[-1],
        auroc=float(roc_auc_score(is_wrong, suspicion)),
        average_precision=float(average_precision_score(is_wrong, suspicion)),
    )


def precision_recall(
    pages: Sequence[MarkedPage], score: str = "probability"
) -> tuple[np.ndarray, np.ndarray]:
    """How many of the tokens looked at are wrong, and how many of the wrong ones they are.

    Returns:
        precision, recall: (num_thresholds + 1,) shares each, from looking at all tokens to looking
        at none.
    """
    from sklearn.metrics import precision_recall_curve

    suspicion, is_wrong = _gather(pages, score)
    precision, recall, _ = precision_recall_curve(is_wrong, suspicion)
    return precision, recall


def risk_coverage(
    pages: Sequence[MarkedPage], score: str = "probability"
) -> tuple[np.ndarray, np.ndarray, float]:
    """The share of wrong tokens among the least suspicious ones.

    Returns:
        coverage, (num_tokens,): the share of tokens that is trusted; risk, (num_tokens,): the share
        of wrong ones among them; and the area under that curve (El-Yaniv and Wiener 2010).
    """
    from sklearn.metrics import auc

    suspicion, is_wrong = _gather(pages, score)
    trusted = np.arange(1, len(suspicion) + 1)
    risk = np.cumsum(is_wrong[np.argsort(suspicion, kind="stable")]) / trusted
    coverage = trusted / len(trusted)
    return coverage, risk, float(auc(coverage, risk))


def reliability(
    probs: Sequence[float] | np.ndarray, is_wrong: Sequence[bool], bins: int = 10
) -> tuple[np.ndarray, np.ndarray]:
    """Stated probability against the share of right tokens, in bins of equally many tokens.

    Returns:
        stated, right: (num_bins,) each, fewer than `bins` where many probabilities are equal.
    """
    from sklearn.calibration import calibration_curve

    right = ~np.asarray(is_wrong, bool)
    share_right, stated = calibration_curve(right, probs, n_bins=bins, strategy="quantile")
    return stated, share_right


def _gather(pages: Sequence[MarkedPage], score: str) -> tuple[np.ndarray, np.ndarray]:
    suspicion = np.concatenate([suspicions(page.result)[score] for page in pages])
    is_wrong = np.concatenate([np.array(page.is_wrong, bool) for page in pages])
    if not is_wrong.any() or is_wrong.all():
        kind = "wrong" if is_wrong.any() else "right"
        raise ValueError(
            f"all {len(is_wrong)} tokens are {kind}, so wrong and right ones cannot be compared; "
            "add pages with both"
        )
    return suspicion, is_wrong
