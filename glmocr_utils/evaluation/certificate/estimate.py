"""From the errors that a person found in a stratified sample to all errors, with an interval.

The estimate is the difference estimator (Särndal, Swensson and Wretman 1992), of which
prediction-powered inference is a form (Angelopoulos et al. 2023): what the model predicts for all
units, plus what the sample shows that to be wrong by. How much the predictions count (`tuning`) is
chosen by the sample, as in PPI++ (Angelopoulos, Duchi and Zrnic 2023), and nothing is lost where
they are worthless.

The interval draws the sampled units with random weights (Rubin 1981), stratum by stratum. For its
upper end each stratum has half a wrong unit more than was seen, as in the interval of Jeffreys
(Brown, Cai and DasGupta 2001): no error among fifty sure units does not show that there is none.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

DRAWS = 4000
UNSEEN_WRONG = 0.5  # units of a stratum
UNSEEN_ERRORS = 2.0  # of a wrong unit, where no wrong one was seen anywhere
# The lower tail is halved: a sample with one of the few very wrong units has a mean that is too
# high, and in simulations 2.5 % below it were not enough.
CONFIDENCE = (0.0125, 0.975)


@dataclass(frozen=True, slots=True)
class StratumSample:
    """What is known of a stratum.

    Attributes:
        size: units in it.
        predicted: errors that the model expects in all of it.
        sample_predicted: (num_sampled,) expected errors of the sampled units.
        sample_edits: (num_sampled,) errors that a person found.
    """

    size: int
    predicted: float
    sample_predicted: np.ndarray
    sample_edits: np.ndarray


@dataclass(frozen=True, slots=True)
class Total:
    """Estimated errors of all units.

    Attributes:
        value, low, high: with the 95 % interval.
        of_strata: (num_strata,) errors in each; they sum to `value`.
        tuning: how much the predictions counted, 0 to 1.
    """

    value: float
    low: float
    high: float
    of_strata: np.ndarray
    tuning: float


def estimate_total(strata: Sequence[StratumSample], seed: int = 0, draws: int = DRAWS) -> Total:
    """Estimate the errors of a collection.

    Args:
        seed, draws: of the interval.
    """
    tuning = _tuning(strata)
    of_strata = np.array([_total(each, tuning) for each in strata])
    sizes = np.concatenate([each.sample_edits[each.sample_edits > 0] for each in strata])
    sizes = sizes if len(sizes) else np.array([UNSEEN_ERRORS])
    rng = np.random.default_rng(seed)
    low, high = np.zeros(draws), np.zeros(draws)
    for each, total in zip(strata, of_strata, strict=True):
        lower, upper = _drawn_means(each, tuning, sizes, draws, rng)
        # what was checked is known
        spread = each.size * np.sqrt(1 - len(each.sample_edits) / each.size)
        low += total + spread * lower
        high += total + spread * upper
    found = sum(float(each.sample_edits.sum()) for each in strata)
    value = max(float(of_strata.sum()), found)
    return Total(
        value,
        float(np.clip(np.quantile(low, CONFIDENCE[0]), found, value)),
        float(max(np.quantile(high, CONFIDENCE[1]), value)),
        of_strata,
        tuning,
    )


def _total(stratum: StratumSample, tuning: float) -> float:
    residual = stratum.sample_edits - tuning * stratum.sample_predicted
    return tuning * stratum.predicted + stratum.size * float(residual.mean())


def _tuning(strata: Sequence[StratumSample]) -> float:
    """The weight of the predictions with the smallest variance of the estimate."""
    together = alone = 0.0
    for each in strata:
        weight = each.size**2 / len(each.sample_edits)
        x = each.sample_predicted - each.sample_predicted.mean()
        together += weight * float((x * each.sample_edits).mean())
        alone += weight * float((x * x).mean())
    return float(np.clip(together / alone, 0, 1)) if alone else 0.0


def _drawn_means(
    stratum: StratumSample,
    tuning: float,
    sizes: np.ndarray,
    draws: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """(draws,) each: how far the mean residual may be from the seen one, for low and high end."""
    residual = stratum.sample_edits - tuning * stratum.sample_predicted
    count = len(residual)
    weights = rng.standard_exponential((draws, count))
    mean = residual.mean()
    sums, total = weights @ (residual - mean), weights.sum(axis=1)
    # with random weights the variance is (n − 1) / (n + 1) of what the sample shows
    widened = np.sqrt((count + 1) / max(1, count - 1))
    unseen = rng.gamma(UNSEEN_WRONG, size=draws)
    one_more = rng.choice(sizes, draws) - mean
    return widened * sums / total, widened * (sums + unseen * one_more) / (total + unseen)
