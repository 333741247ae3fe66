"""How alike two orders of the same entrants are, and what chance, other items and the items' own noise make of that.

The measure is Kendall's tau-b (Kendall 1945) of mean scores. Noise lowers the tau of two scorings of finitely many
items whatever their true means are, so that a tau stands beside that of two halves of the items of one scoring.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from earwitness.stats.intervals import DEFAULT, Resampling, mean_of, weights
from earwitness.stats.ranks import NOTHING

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from earwitness.stats.intervals import Array

SPLITS = 200
"""Ways to halve the items that a tau of halves is the mean of."""
SEED = 0


@dataclass(frozen=True)
class Halves:
    """Kendall's tau-b between halves of the items, mean over ways to halve them; NaN with fewer than two clusters."""

    own: float
    """Between two halves of the first scoring: how well its order holds against itself."""
    across: float
    """Between a half of the first scoring and the other half of the second: `own`, were the two models alike."""


def taus(first: Array, second: Array) -> Array:
    """[R] Kendall's tau-b of R pairs of scorings `[R, E]` of E entrants; NaN where a scoring is all ties.

    Scores that differ by rounding are ties.

    >>> taus(np.array([[1.0, 2.0, 3.0]]), np.array([[1.0, 3.0, 2.0]])).round(3).tolist()
    [0.333]
    """
    left, right = np.triu_indices(first.shape[1], 1)
    one, other = (_signs(scores[:, left] - scores[:, right]) for scores in (first, second))
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Array = (one * other).sum(axis=1) / np.sqrt((one**2).sum(axis=1) * (other**2).sum(axis=1))
    return found


def tau_of(first: Array, second: Array) -> float:
    """Kendall's tau-b of the means over items of two scorings of items `[N, E]`."""
    return float(taus(first.mean(axis=0)[None], second.mean(axis=0)[None])[0])


def random_tau(entrants: int, level: float = DEFAULT.level) -> float:
    """The smallest t such that |tau| of a random order of E entrants without ties is at most t with a probability of at
    least the level: exact, from the number of orders with each number of inversions (Kendall 1938).

    1 where a share of more than 1 - level of all orders is the given one or its reverse.

    >>> random_tau(4), round(random_tau(5), 3), round(random_tau(10), 3)
    (1.0, 0.8, 0.467)
    """
    orders = np.ones(1)
    for size in range(2, entrants + 1):
        orders = np.convolve(orders, np.full(size, 1 / size))
    pairs = len(orders) - 1
    if not pairs:
        return 1.0
    sizes = np.abs(1 - 2 * np.arange(pairs + 1) / pairs)
    values = np.unique(sizes.round(12))
    reached = np.array([orders[sizes <= value + NOTHING].sum() for value in values])
    return float(values[int(np.argmax(reached >= level - NOTHING))])


def tau_spread(
    first: Array, second: Array, clusters: NDArray[np.int64], sampling: Resampling = DEFAULT
) -> tuple[float, float]:
    """Ends of an interval of the tau that as many other items give on average, scorings of items `[N, E]` of clusters
    `[N]`: percentiles over resampled clusters, the same for both, widened to hold the tau that was seen.

    It is none of the tau of the true means, which no number of items bounds where two of them are close: noise lowers a
    tau, and that of resampled items once more. NaN with fewer than two clusters.
    """
    count = int(clusters.max(initial=-1)) + 1
    if count < 2:
        return float("nan"), float("nan")
    drawn = weights(count, sampling)
    found = taus(*(mean_of(scores, clusters, count)(drawn) for scores in (first, second)))
    if np.isnan(found).all():
        return float("nan"), float("nan")
    low, high = np.nanquantile(found, [(1 - sampling.level) / 2, (1 + sampling.level) / 2])
    seen = tau_of(first, second)
    return float(np.fmin(low, seen)), float(np.fmax(high, seen))


def halves(first: Array, second: Array, clusters: NDArray[np.int64], splits: int = SPLITS) -> Halves:
    """Tau of halves of the items: scorings of items `[N, E]` of clusters `[N]`, whose items stay together."""
    count = int(clusters.max(initial=-1)) + 1
    if count < 2:
        return Halves(float("nan"), float("nan"))
    random = np.random.default_rng(SEED)
    drawn = random.permuted(np.tile(np.arange(count) < count // 2, (splits, 1)), axis=1).astype(np.float64)
    one, other = (mean_of(scores, clusters, count) for scores in (first, second))
    own = taus(one(drawn), one(1 - drawn))
    across = np.stack([taus(one(drawn), other(1 - drawn)), taus(one(1 - drawn), other(drawn))])
    return Halves(_mean(own), _mean(across))


def _mean(values: Array) -> float:
    """The mean of what is there; NaN of nothing."""
    return float(np.nanmean(values)) if not np.isnan(values).all() else float("nan")


def _signs(differences: Array) -> Array:
    """Signs of differences, 0 of those that are rounding."""
    return np.where(np.abs(differences) > NOTHING, np.sign(differences), 0.0)
