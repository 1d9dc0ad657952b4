"""Which units a person reviews: strata by predicted risk, and a random sample of each.

Every unit of a collection has a known chance above 0 to be drawn; that alone makes the estimate
valid, whatever the predictions are worth. They only decide how narrow it is. Strata are cut where
the cumulated square root of the predicted errors reaches equal shares (Dalenius and Hodges 1959),
so that equal samples of all strata are about those that Neyman (1934) proved best.
"""

from dataclasses import dataclass

import numpy as np

NUM_STRATA = 4
# Errors that a unit is thought to have, at least. Without it, a model that is sure of everything
# would have its surest words checked least, and these are most of a collection.
LEAST_RISK = 0.05
MOST_RISK = 8.0  # a unit that is wrong through and through
FEWEST_OF_A_STRATUM = 2


@dataclass(frozen=True, slots=True)
class Sample:
    """A stratified sample of a collection's units.

    Attributes:
        strata: (num_units,) of each unit, from 0, the surest first.
        chosen: for each stratum, the indices of the units that were drawn, in rising order.
    """

    strata: np.ndarray
    chosen: tuple[np.ndarray, ...]

    @property
    def sizes(self) -> np.ndarray:
        """(num_strata,) units in each stratum."""
        return np.bincount(self.strata, minlength=len(self.chosen))


def draw_sample(
    risk: np.ndarray, count: int = 200, seed: int = 0, num_strata: int = NUM_STRATA
) -> Sample:
    """Draw `count` units, or all where there are no more.

    Args:
        risk: (num_units,) predicted errors of each.

    Raises:
        ValueError: there is no unit, or the count is too small for the strata.
    """
    if not len(risk):
        raise ValueError("nothing with probabilities was read, so there is nothing to draw from")
    num_strata = min(num_strata, max(1, len(risk) // FEWEST_OF_A_STRATUM))
    if count < FEWEST_OF_A_STRATUM * num_strata:
        raise ValueError(f"{count} words are too few to audit a collection; give at least 50")
    strata = _strata(risk, num_strata)
    sizes = np.bincount(strata, minlength=num_strata)
    rng = np.random.default_rng(seed)
    chosen = [
        np.sort(rng.choice(np.flatnonzero(strata == number), size, replace=False))
        for number, size in enumerate(_allocated(sizes, count))
    ]
    return Sample(strata, tuple(chosen))


def _strata(risk: np.ndarray, num_strata: int) -> np.ndarray:
    order = np.argsort(risk, kind="stable")
    mass = np.cumsum(np.sqrt(risk[order].clip(LEAST_RISK, MOST_RISK)))
    shares = (mass - mass[0] / 2) / mass[-1]
    strata = np.empty(len(risk), np.int64)
    strata[order] = np.minimum((shares * num_strata).astype(np.int64), num_strata - 1)
    return np.unique(strata, return_inverse=True)[1]  # none is empty


def _allocated(sizes: np.ndarray, count: int) -> np.ndarray:
    """Equal shares; what a small stratum cannot take goes to the others."""
    shares = np.zeros(len(sizes), np.int64)
    while (left := count - shares.sum()) > 0 and (open_ := np.flatnonzero(shares < sizes)).size:
        share, rest = divmod(left, len(open_))
        more = np.full(len(open_), share)
        more[len(open_) - rest :] += 1  # to the doubtful
        shares[open_] = np.minimum(shares[open_] + more, sizes[open_])
    return shares
