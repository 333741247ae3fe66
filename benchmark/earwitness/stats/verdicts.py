"""Verdicts: the one engine that says better, worse, equivalent, not told apart or too few items, for whoever asks.

Every comparison is a mean paired gain over items whose clusters are independent. A *family* is what a reader sees side
by side; its comparisons are judged together, both sides of each, by flipping the signs of whole clusters: the statistic
is the sum over clusters by the root of its sum of squares, and what counts is the largest of the family under each sign
assignment (max-T, Westfall and Young 1993), stepping down (Romano and Wolf 2005). All assignments are counted where
there are few clusters. The chance that anything in a family is said to be better or worse without being so is at most
the level, where clusters are symmetric about their mean and nearly so elsewhere.

An interval holds those values of the gain that the last step of the same test does not reject, so that it leaves out 0
exactly where the verdict is better or worse, and lies within the margin exactly where the verdict may be equivalent
(two one-sided tests, Schuirmann 1987).

Clusters that are crossed (a sentence's, a voice's) are flipped the way that has fewest of them, with the statistic
lowered by what the other ways add to its standard error (Cameron, Gelbach and Miller 2011).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from earwitness.stats.flips import DRAWS, ROUNDING, Under, max_t, signs, stepped_down
from earwitness.stats.intervals import Array
from earwitness.stats.largest import LargestPairs
from earwitness.stats.multiplicity import holm
from earwitness.stats.paired import cluster_sums, coarsest, inflation, sign_flip, standard_error
from earwitness.stats.power import POWER

if TYPE_CHECKING:
    from collections.abc import Iterator

LEVEL = 0.05
"""Of the chance, for each family, that anything in it is said to be better or worse without being so."""
COMPARED = 500_000_000
"""Pairs times sign assignments that an order of many entrants may take."""
FEWEST_DRAWS = 2_000
MOST_DRAWS = 200_000
AT_ONCE = 8_000_000
"""Numbers that are held in memory at once."""
Flags = NDArray[np.bool_]


class Verdict(StrEnum):
    """What is said of two entrants."""

    BETTER = "better"
    WORSE = "worse"
    EQUIVALENT = "equivalent"
    """The whole interval lies within the margin."""
    NOT_TOLD = "not told apart"
    TOO_FEW = "too few items"
    """Not even the same gain on every item would be told from chance."""


@dataclass(frozen=True)
class Gains:
    """How much more faithful one is than another, in K comparisons; NaN where one of the two has no value."""

    value: Array
    """[N, K] failed items at the floor."""
    least: Array
    """[N, K] failed items of the one at the worst value seen: what is claimed for it must hold here."""
    most: Array
    """[N, K] failed items of the other at the worst value seen."""

    @classmethod
    def of(cls, value: Array) -> Gains:
        """Gains of entrants that failed nowhere."""
        return cls(value, value, value)


@dataclass(frozen=True)
class Verdicts:
    """What is said of the K comparisons of a family."""

    words: NDArray[np.object_]
    """[K] of `Verdict`."""
    effect: Array
    """[K] mean gain, above 0 is better; NaN where no item has a gain."""
    low: Array
    """[K] ends of an interval that agrees with the word; infinite where the items set no end."""
    high: Array
    p: Array
    """[K] of the likelier side, adjusted for the family and both sides; NaN where no item has a gain."""
    improvement: Array
    """[K] share of items with a gain, ties counted half: the probability of improvement."""
    smallest: Array
    """[K] gain that these items tell from none with 80 % power in this family; infinite where they tell none."""
    needed: Array
    """[K] items that would tell a gain as large as the one seen, with 80 % power; infinite where none is seen."""
    items: NDArray[np.int64]
    """[K] items that both have a value of."""
    clusters: NDArray[np.int64]
    """[K] clusters they belong to; of crossed ones, the way that has fewest."""
    margin: Array
    """[K] within which gains are equivalent; NaN where no margin is stated."""
    family: int
    """Comparisons of the family that have an item."""


def judged(gains: Gains, clusters: NDArray[np.int64], margins: Array | None = None, level: float = LEVEL) -> Verdicts:
    """The verdicts of a family of K comparisons on items of clusters `[N]`, or `[N, W]` crossed in W ways.

    margins `[K]` are what counts as equivalent, in the units of the gains; NaN or None where nothing does.
    """
    present = ~np.isnan(gains.value)
    items = present.sum(axis=0)
    way, count = coarsest(clusters), items.shape[0]
    limits = np.full(count, np.nan) if margins is None else margins
    sizes = cluster_sums(np.where(present, 1.0, np.nan), way)
    factor = inflation(gains.value, clusters)
    sides = [cluster_sums(side, way) for side in (gains.least, -gains.most)]
    scaled = np.concatenate([_scaled(side) / factor for side in sides], axis=1)
    p, limit = _tests(scaled, np.concatenate([_scaled(side) for side in sides], axis=1), level)
    above, below = p[:count], p[count:]
    told = np.where(above < level, 1, np.where(below < level, -1, 0))
    low = _end(sides[0], sizes, limit * factor)
    high = -_end(sides[1], sizes, limit * factor)
    seen = (sizes > 0).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        reach = items / np.sqrt((sizes**2).sum(axis=0)) / factor
        effect = np.where(items > 0, np.nansum(gains.value, axis=0) / items, np.nan)
        wins = (gains.value > ROUNDING).sum(axis=0) + 0.5 * (np.abs(gains.value) <= ROUNDING).sum(axis=0)
        improvement = np.where(items > 0, wins / items, np.nan)
    few = (seen < fewest(level)) | ~(reach > limit)
    smallest = np.where(few, np.inf, _smallest(standard_error(gains.value, way) * factor, seen, limit))
    with np.errstate(invalid="ignore", divide="ignore"):
        needed = np.where(np.abs(effect) > ROUNDING, np.ceil(items * (smallest / np.abs(effect)) ** 2), np.inf)
    words = np.full(count, Verdict.NOT_TOLD, dtype=object)
    words[few] = Verdict.TOO_FEW
    words[~few & (low > -limits) & (high < limits)] = Verdict.EQUIVALENT
    words[told > 0], words[told < 0] = Verdict.BETTER, Verdict.WORSE
    adjusted = np.where(items > 0, np.minimum(above, below), np.nan)
    return Verdicts(
        words, effect, low, high, adjusted, improvement, smallest, needed, items, seen, limits, int((items > 0).sum())
    )


@dataclass(frozen=True)
class Order:
    """Which of E entrants are better than which."""

    better: Flags
    """[E, E] whether the entrant of the row is better than that of the column."""
    decidable: bool
    """Whether even the same gain on every cluster would be told."""


def order(scores: Array, at_worst: Array, clusters: NDArray[np.int64], level: float = LEVEL) -> Order:
    """All pairs of entrants, one family, from their scores of items `[N, E]`, of which the mean is compared.

    at_worst are the same with failed values at the worst seen. No array of pairs times draws is held.
    """
    way = coarsest(clusters)
    first, second = cluster_sums(at_worst, way), cluster_sums(scores, way)
    count = first.shape[1]
    norms, factor = _norms(first, second), _pair_inflation(scores, clusters)
    draws = int(np.clip(COMPARED // max(count * count, 1), FEWEST_DRAWS, DRAWS))
    chunk = max(1, AT_ONCE // max(count * count, 1))
    own = ~np.eye(count, dtype=bool)

    pairs = LargestPairs(lambda: signs(len(first), draws, 0, chunk), first, second, norms)

    seen = np.where(own, _statistics(first.sum(axis=0), second.sum(axis=0), norms), -np.inf) / factor
    better, limit = stepped_down(seen, lambda left: pairs(left & own), level)
    sizes = np.bincount(way).astype(np.float64)
    narrowest = float(factor.min(initial=np.inf, where=own))
    reach = sizes.sum() / np.sqrt((sizes**2).sum()) / narrowest if len(sizes) else 0.0
    enough = len(sizes) >= fewest(level) and reach > limit
    return Order(better & own, count < 2 or bool(better.any()) or bool(enough))


def fewest(level: float) -> int:
    """Clusters below which not even signs that are all alike are told, on either side."""
    return int(np.floor(np.log2(2 / level))) + 1


@dataclass(frozen=True)
class AgainstMargins:
    """Adjusted p-values of K comparisons with a margin each."""

    worse: Array
    """[K] small where a loss above the margin is proven."""
    within: Array
    """[K] small where a loss below the margin is proven."""


def against_margins(worse: Array, within: Array, level: float) -> AgainstMargins:
    """Whether losses above, and below, a margin are proven, from cluster sums `[C, K]` of gains above the margins.

    Comparisons may be of different clusters, padded with zeros, so that each of the two families is adjusted by Holm.
    worse and within differ where newly failed items count otherwise.
    """
    # The smallest p-value that draws can show, times the number of comparisons, stays a fifth of the level.
    draws = int(np.clip(np.ceil(5 * worse.shape[1] / level), DRAWS, MOST_DRAWS))
    lower = sign_flip(worse, draws)
    upper = lower if np.array_equal(worse, within) else sign_flip(within, draws)
    return AgainstMargins(holm(lower.below), holm(upper.above))


def _tests(seen: Array, columns: Array, level: float) -> tuple[Array, float]:
    """Adjusted p-values [K] of columns [C, K], whose sums over clusters are seen, and the last step's critical value.

    seen may have been lowered, as crossed clusters ask.
    """

    def under(chosen: NDArray[np.int64]) -> Iterator[Under]:
        narrow = columns[:, chosen].astype(np.float32)
        for some in signs(len(columns), chunk=max(1, AT_ONCE // max(columns.shape[1], 1))):
            yield some @ narrow

    return max_t(seen.sum(axis=0), under, level)


def _scaled(sums: Array) -> Array:
    """[C, K] sums by the root of their sum of squares; 0 where all are 0."""
    root = np.sqrt((sums**2).sum(axis=0))
    scaled: Array = np.divide(sums, root, out=np.zeros_like(sums), where=root > ROUNDING)
    return scaled


def _end(sums: Array, sizes: Array, limit: Array) -> Array:
    """[K] the least gain d for which sums - d sizes `[C, K]` are not told to lie above 0 at a critical value [K].

    The smaller root of (S - d N)² = limit² sum (s - d n)²; -inf where no gain is told at so few clusters.
    """
    total, items = sums.sum(axis=0), sizes.sum(axis=0)
    a = items**2 - limit**2 * (sizes**2).sum(axis=0)
    b = total * items - limit**2 * (sums * sizes).sum(axis=0)
    c = total**2 - limit**2 * (sums**2).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        root = (b - np.sqrt(np.maximum(b**2 - a * c, 0.0))) / a
    return np.where(items == 0, np.nan, np.where(a > 0, root, -np.inf))


def _smallest(error: Array, clusters: NDArray[np.int64], limit: float) -> Array:
    """[K] mean that is told with 80 % power, of standard error [K] over clusters [K] (Bloom 1995)."""
    freedom = np.maximum(clusters - 1, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        # The critical value as one of t: sum / root of sum of squares is a monotone function of t.
        bound = limit * np.sqrt(freedom / (clusters - limit**2))
    found: Array = np.where(clusters > limit**2, (bound + t.ppf(POWER, freedom)) * error, np.inf)
    return found


def _statistics(first: Array, second: Array, norms: Array) -> Array:
    """[..., E, E] sums of differences over their norms, from sums [..., E]; what never differs is 0."""
    difference = first[..., :, None] - second[..., None, :]
    found: Array = np.divide(difference, norms, out=np.zeros_like(difference), where=norms > ROUNDING)
    return found


def _norms(first: Array, second: Array) -> Array:
    """[E, E] root of the sum of squares of the differences of cluster sums [C, E]."""
    rows = [np.sqrt(((first[:, [entrant]] - second) ** 2).sum(axis=0)) for entrant in range(first.shape[1])]
    return np.array(rows).reshape(first.shape[1], first.shape[1])


def _pair_inflation(scores: Array, clusters: NDArray[np.int64]) -> Array:
    """[E, E] by how much crossed clusters widen each pair."""
    count = scores.shape[1]
    if clusters.ndim == 1 or clusters.shape[1] == 1:
        return np.ones((count, count))
    return np.array([inflation(scores[:, [entrant]] - scores, clusters) for entrant in range(count)])
