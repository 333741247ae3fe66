"""Cluster bootstrap intervals of any statistic that can be computed from weighted clusters.

A statistic is a function from cluster weights `[R, C]` to values `[R, ...]`: a bootstrap draw weighs a cluster by how
often it was drawn, the jackknife leaves one out, and all ones give the estimate. Statistics of one set of weights are
paired.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, t

Array = NDArray[np.float64]
Statistic = Callable[[Array], Array]


@dataclass(frozen=True)
class Resampling:
    """How intervals are computed."""

    level: float = 0.95
    draws: int = 2000
    seed: int = 0
    method: Literal["bca", "percentile"] = "bca"


DEFAULT = Resampling()
FEWEST_CLUSTERS = 10
"""Below it, intervals of means cover less than they say (91 to 93 % at 6 to 8 clusters): they are not shown."""
ROUNDING = 1e-12
"""Relative difference up to which two values of a statistic are one."""


@dataclass(frozen=True)
class Interval:
    """An estimate with its interval; NaN ends where fewer than two clusters were seen."""

    value: Array
    """[...] the statistic on all clusters."""
    low: Array
    """[...] lower end."""
    high: Array
    """[...] upper end."""
    draws: Array
    """[R, ...] bootstrap draws."""


@lru_cache(maxsize=8)
def weights(clusters: int, sampling: Resampling = DEFAULT) -> Array:
    """[R, C] how often each of C clusters appears in each of R bootstrap samples of C clusters; read-only."""
    random = np.random.default_rng(sampling.seed)
    drawn = random.multinomial(clusters, np.full(clusters, 1 / clusters), size=sampling.draws).astype(np.float64)
    drawn.flags.writeable = False
    return drawn


def mean_of(values: Array, clusters: NDArray[np.int64], count: int | None = None) -> Statistic:
    """The statistic "mean over items" of values `[N, ...]`, whose items belong to clusters `[N]` numbered from 0.

    NaN marks an item that the column does not have; a column without an item is NaN.
    """
    size = int(clusters.max()) + 1 if count is None else count
    flat = values.reshape(len(values), -1)
    present = ~np.isnan(flat)
    sums, counts = np.zeros((size, flat.shape[1])), np.zeros((size, flat.shape[1]))
    np.add.at(sums, clusters, np.where(present, flat, 0.0))
    np.add.at(counts, clusters, present.astype(np.float64))
    shape = values.shape[1:]

    def mean(weight: Array) -> Array:
        with np.errstate(invalid="ignore", divide="ignore"):
            means: Array = (weight @ sums) / (weight @ counts)
        return means.reshape(len(weight), *shape)

    return mean


def interval(
    statistic: Statistic, clusters: int, sampling: Resampling = DEFAULT, sizes: NDArray[np.int64] | None = None
) -> Interval:
    """The bootstrap interval of a statistic over C clusters, by percentile or BCa (Efron 1987, eq. 3.9 and 6.6).

    Nominal tails are widened for few clusters (Hesterberg 2015, arXiv 1411.5279, section 5.3): the plain percentile
    interval of a mean is too short by a factor of sqrt((C - 1) / C) and by the tails of t. Clusters that a column has
    nothing of do not count there; a draw of such clusters alone is left out. Clusters of unequal sizes `[C]` count as
    the smaller number of equal ones that weighs as much (Kish 1965).
    """
    value = statistic(np.ones((1, clusters)))[0]
    if clusters < 2:
        nothing = np.full_like(value, np.nan)
        return Interval(value, nothing, nothing, np.broadcast_to(value, (sampling.draws, *value.shape)))
    draws, without = statistic(weights(clusters, sampling)), statistic(1 - np.eye(clusters))
    seen = _seen(without, value)
    if sizes is not None:
        seen = np.maximum(seen * sizes.sum() ** 2 / (len(sizes) * (sizes.astype(np.float64) ** 2).sum()), 1.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        z = np.sqrt(seen / (seen - 1)) * t.ppf((1 + sampling.level) / 2, seen - 1)
    bias, acceleration = np.zeros_like(value), np.zeros_like(value)
    if sampling.method == "bca":
        bias = norm.ppf(np.clip(_below(draws, value), 1 / sampling.draws, 1 - 1 / sampling.draws))
        acceleration = _acceleration(without)
    ends = []
    for side in (-z, z):
        tilt = bias + (bias + side) / (1 - acceleration * (bias + side))
        ends.append(np.where(seen > 1, _quantiles(draws, norm.cdf(tilt)), np.nan))
    return Interval(value, ends[0], ends[1], draws)


def widened(found: Interval, factor: Array) -> Interval:
    """The interval with its ends moved away from the estimate by a factor `[...]` of at least 1."""
    low, high = (found.value + factor * (end - found.value) for end in (found.low, found.high))
    return Interval(found.value, low, high, found.value + factor * (found.draws - found.value))


def mean_interval(values: Array, clusters: NDArray[np.int64], sampling: Resampling = DEFAULT) -> Interval:
    """The interval of the mean over items of values `[N, ...]`, items resampled by cluster `[N]`."""
    return interval(mean_of(values, clusters), int(clusters.max()) + 1, sampling, np.bincount(clusters))


def numbered(names: list[str]) -> NDArray[np.int64]:
    """[N] cluster names as numbers from 0, in the order of their names.

    >>> numbered(["b", "a", "b"]).tolist()
    [1, 0, 1]
    """
    return np.unique(np.asarray(names, dtype=object).astype(str), return_inverse=True)[1].astype(np.int64)


def _seen(without: Array, value: Array) -> Array:
    """Number of clusters that a column has anything of: those without which it is not the same; all where none is."""
    same = np.abs(without - value) <= ROUNDING * np.maximum(np.abs(value), 1.0)
    seen = (~same).sum(axis=0)
    return np.where(seen > 0, seen, len(without)).astype(np.float64)


def _below(draws: Array, value: Array) -> Array:
    """Share of draws below the estimate, ties counted half; what differs by rounding alone is a tie."""
    there = ~np.isnan(draws)
    spread = np.max(draws, axis=0, where=there, initial=-np.inf) - np.min(draws, axis=0, where=there, initial=np.inf)
    above = draws - value
    with np.errstate(invalid="ignore"):
        rounding = 1e-9 * np.maximum(spread, 0.0)
        lower = (above < -rounding).sum(axis=0) + 0.5 * (np.abs(above) <= rounding).sum(axis=0)
    share: Array = lower / np.maximum(there.sum(axis=0), 1)
    return share


def _acceleration(leave_one_out: Array) -> Array:
    """Skewness of the jackknife's influence over six (Efron 1987, eq. 6.6); 0 where nothing varies."""
    influence = leave_one_out.mean(axis=0) - leave_one_out
    square = (influence**2).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        skew = (influence**3).sum(axis=0) / (6 * square**1.5)
    return np.where(np.isfinite(skew), skew, 0.0)


def _quantiles(draws: Array, shares: Array) -> Array:
    """Quantile of each column of draws `[R, ...]` at its own share `[...]`, linear between order statistics."""
    ordered = np.sort(draws.reshape(len(draws), -1), axis=0)
    last = np.maximum((~np.isnan(ordered)).sum(axis=0) - 1, 0)
    place = np.nan_to_num(shares.reshape(-1)) * last
    under = np.floor(place).astype(np.int64)
    over = np.minimum(under + 1, last)
    columns = np.arange(ordered.shape[1])
    low, high = ordered[under, columns], ordered[over, columns]
    between: Array = low + (place - under) * (high - low)
    return between.reshape(shares.shape)
