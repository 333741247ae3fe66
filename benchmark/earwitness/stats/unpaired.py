"""Verdicts on two sets of items that share none: is a mean on the one higher than the mean on the other?

Under the hypothesis that both sets were drawn from the same, any of their clusters could as well have been in the other
one: whole clusters change places, and what counts is the largest of the family's statistics under each assignment
(step-down max-T, as in `earwitness.stats.verdicts`). The statistic is the difference of means over its standard error
for two independent sets, each with a variance of its own, so that the level holds for means alone, too, where there are
many clusters (Janssen 1997; Chung and Romano 2013, section 2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from earwitness.stats.flips import CHUNK, DRAWS, ROUNDING, Under, max_t
from earwitness.stats.paired import cluster_sums, coarsest, inflation
from earwitness.stats.verdicts import LEVEL, Gains, Verdict, fewest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from earwitness.stats.intervals import Array

Clusters = tuple["NDArray[np.int64]", "NDArray[np.int64]"]
CERTAIN = 1e12
"""Statistic of sets that differ and in which nothing varies."""

EQUAL = 1e-10
"""Sum of squares about a mean, as a share of that about 0, below which nothing varies."""


@dataclass(frozen=True)
class Apart:
    """What is said of K comparisons of a mean on some items with a mean on others, one family."""

    words: NDArray[np.object_]
    """[K] of `Verdict`: better where the mean on the first set is higher."""
    effect: Array
    """[K] difference of the means, first less second; NaN where one has no item."""
    low: Array
    """[K] ends of an interval that agrees with the word; infinite where the items set no end."""
    high: Array
    p: Array
    """[K] of the likelier side, adjusted for the family and both sides; NaN where there are too few items."""
    family: int
    """Comparisons that have enough items."""


def judged_apart(first: Gains, second: Gains, clusters: Clusters, level: float = LEVEL) -> Apart:
    """The verdicts of a family of K comparisons of means over items `[N, K]` with means over other items `[M, K]`.

    clusters are numbers `[N]` and `[M]`, or `[N, W]` and `[M, W]` crossed in W ways, in each set from 0. What is
    claimed holds with those failed items at their worst (`Gains.least`) that speak against it. Too few items is said
    where one set has fewer clusters than a paired verdict takes.
    """
    count = first.value.shape[1]
    effect = _mean(first.value) - _mean(second.value)
    present = [_clusters_of(side.value, own) for side, own in zip((first, second), clusters, strict=True)]
    kept = np.flatnonzero(np.minimum(*present) >= fewest(level))
    words = np.full(count, Verdict.TOO_FEW, dtype=object)
    low, high, p = np.full(count, -np.inf), np.full(count, np.inf), np.full(count, np.nan)
    if len(kept):
        sides = _Sets(
            np.concatenate([first.least[:, kept], -first.value[:, kept]], axis=1),
            np.concatenate([second.value[:, kept], -second.least[:, kept]], axis=1),
            clusters,
        )
        adjusted, limit = max_t(sides.seen, sides.under, level)
        told = adjusted < level
        half = len(kept)
        settled = np.tile(told[:half] | told[half:], 2) | (np.abs(sides.apart) <= ROUNDING)
        ends = np.where((sides.error > 0) | settled, sides.apart - limit * sides.error, -np.inf)
        low[kept], high[kept] = ends[:half], -ends[half:]
        p[kept] = np.minimum(adjusted[:half], adjusted[half:])
        words[kept] = np.where(told[:half], Verdict.BETTER, np.where(told[half:], Verdict.WORSE, Verdict.NOT_TOLD))
    return Apart(words, effect, low, high, p, len(kept))


class _Sets:
    """One-sided columns of two sets: [N, K] and [M, K] values, NaN where an item has none."""

    def __init__(self, first: Array, second: Array, clusters: Clusters) -> None:
        # About a common centre, so that squares lose nothing to rounding.
        centre = _mean(np.concatenate([first, second]))
        ways = [coarsest(own) for own in clusters]
        self._members = [int(way.max()) + 1 for way in ways]
        values = [first - centre, second - centre]
        ones = [np.where(np.isnan(side), np.nan, 1.0) for side in values]
        self._sums, self._sizes = (
            np.concatenate([cluster_sums(side, way) for side, way in zip(kind, ways, strict=True)])
            for kind in (values, ones)
        )
        factors = [inflation(side, own) for side, own in zip(values, clusters, strict=True)]
        self.apart, self.error = self._compared(self._own(), (factors[0], factors[1]))
        self.seen = _statistics(self.apart, self.error)[0]
        """[K] as it is; crossed clusters lower it."""
        self.apart, self.error = self.apart[0], self.error[0]

    def under(self, chosen: NDArray[np.int64]) -> Iterator[Under]:
        """Chunks [R, k] of the statistics of some columns, under which clusters are of which set."""
        drawn, own = np.random.default_rng(0), self._own()
        yield _statistics(*self._compared(own, (1.0, 1.0), chosen))
        for start in range(0, DRAWS, CHUNK):
            many = np.repeat(own, min(CHUNK, DRAWS - start), axis=0)
            yield _statistics(*self._compared(drawn.permuted(many, axis=1), (1.0, 1.0), chosen))

    def _own(self) -> Array:
        """[1, C] 1 for clusters of the first set."""
        return np.concatenate([np.ones(self._members[0]), np.zeros(self._members[1])])[None]

    def _compared(
        self, first: Array, widened: tuple[Array | float, Array | float], chosen: NDArray[np.int64] | None = None
    ) -> tuple[Array, Array]:
        """[R, k] difference of means and its standard error, of clusters of the first set as `[R, C]` says."""
        sums, sizes = (kind if chosen is None else kind[:, chosen] for kind in (self._sums, self._sizes))
        (one, error), (other, of_other) = (_moments(each, sums, sizes) for each in (first, 1.0 - first))
        return one - other, np.sqrt((widened[0] * error) ** 2 + (widened[1] * of_other) ** 2)


def _moments(chosen: Array, sums: Array, sizes: Array) -> tuple[Array, Array]:
    """[R, k] mean over the items of chosen clusters `[R, C]`, and its standard error by linearisation (Cochran 1977,
    chapter 6), from sums and sizes `[C, k]`."""
    items, total, seen = chosen @ sizes, chosen @ sums, chosen @ (sizes > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / items
        whole = chosen @ sums**2
        squares = whole - 2 * mean * (chosen @ (sums * sizes)) + mean**2 * (chosen @ sizes**2)
        # What is left of equal values is rounding.
        squares = np.where(squares > EQUAL * whole, squares, 0.0)
        error = np.sqrt(squares * seen / (seen - 1)) / items
    return mean, error


def _statistics(apart: Array, error: Array) -> Array:
    """Differences over their errors; where a difference has none, nothing or certainty, and nothing without items."""
    certain = np.where(np.abs(apart) > ROUNDING, np.sign(apart) * CERTAIN, 0.0)
    found: Array = np.divide(apart, error, out=certain, where=error > ROUNDING)
    return np.nan_to_num(found, nan=0.0)


def _mean(values: Array) -> Array:
    """[K] mean over the items `[N, K]` that have a value; NaN where none has."""
    count = (~np.isnan(values)).sum(axis=0)
    found: Array = np.divide(np.nansum(values, axis=0), count, out=np.full(values.shape[1], np.nan), where=count > 0)
    return found


def _clusters_of(values: Array, clusters: NDArray[np.int64]) -> NDArray[np.int64]:
    """[K] clusters that have a value; of crossed ones, in the way that has fewest."""
    sizes = cluster_sums(np.where(np.isnan(values), np.nan, 1.0), coarsest(clusters))
    counted: NDArray[np.int64] = (sizes > 0).sum(axis=0)
    return counted
