"""Paired tests of a mean: what changed between two measurements of the same items, whose clusters are independent."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from earwitness.stats.flips import CHUNK, DRAWS, EXACT
from earwitness.stats.intervals import DEFAULT, Array, Interval, Resampling, interval, mean_interval, mean_of

if TYPE_CHECKING:
    from collections.abc import Iterator

TIE = 1e-6
"""Sums that differ by less, relative to the sum of all sizes, are equal: single precision cannot tell them apart."""
Subsets = NDArray[np.float32]


@dataclass(frozen=True)
class SignFlip:
    """One-sided p-values of M means against 0."""

    below: Array
    """[M] small where the mean is proven below 0."""
    above: Array
    """[M] small where the mean is proven above 0."""


def paired_difference(
    first: Array, second: Array, clusters: NDArray[np.int64], sampling: Resampling = DEFAULT
) -> Interval:
    """The interval of mean(first - second) over the items `[N, ...]` that both have, by cluster bootstrap."""
    return mean_interval(first - second, clusters, sampling)


def relative_change(
    first: Array, second: Array, clusters: NDArray[np.int64], sampling: Resampling = DEFAULT
) -> Interval:
    """The interval of mean(first - second) / |mean(second)| over the items `[N, ...]` that both have."""
    both = ~np.isnan(first - second)
    count = int(clusters.max()) + 1
    gain = mean_of(first - second, clusters, count)
    base = mean_of(np.where(both, second, np.nan), clusters, count)

    def change(weight: Array) -> Array:
        with np.errstate(invalid="ignore", divide="ignore"):
            share: Array = gain(weight) / np.abs(base(weight))
        return share

    return interval(change, count, sampling, np.bincount(clusters))


def cluster_sums(values: Array, clusters: NDArray[np.int64]) -> Array:
    """[C, M] sum of each cluster's values `[N, M]`; an item that a column lacks (NaN) adds nothing."""
    sums = np.zeros((int(clusters.max(initial=-1)) + 1, values.shape[1]))
    np.add.at(sums, clusters, np.nan_to_num(values, nan=0.0))
    return sums


def standard_error(values: Array, clusters: NDArray[np.int64]) -> Array:
    """[M] standard error of the mean over items of values `[N, M]`, items of one cluster taken together.

    The ratio estimator's linearisation (Cochran 1977, chapter 6); NaN where fewer than two clusters have an item.
    """
    present = (~np.isnan(values)).astype(np.float64)
    sums, sizes = cluster_sums(values, clusters), cluster_sums(present, clusters)
    count, items = (sizes > 0).sum(axis=0), sizes.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        residual = sums - sums.sum(axis=0) / items * sizes
        error: Array = np.sqrt(count / (count - 1) * (residual**2).sum(axis=0)) / items
    return np.where(count > 1, error, np.nan)


def coarsest(clusters: NDArray[np.int64]) -> NDArray[np.int64]:
    """[N] number of each item's cluster in the way that has fewest of them, of clusters `[N]` or crossed `[N, W]`."""
    if clusters.ndim == 1:
        return clusters
    counts = [len(np.unique(column)) for column in clusters.T]
    return np.asarray(clusters[:, int(np.argmin(counts))])


def inflation(values: Array, clusters: NDArray[np.int64]) -> Array:
    """[M] by how much crossed clusters `[N, W]` raise the standard error of means of values `[N, M]`, at least 1.

    That of the coarsest way is compared with the error over all ways: variances of single ways less those of pairs of
    ways and so on (Cameron, Gelbach and Miller 2011, eq. 2.9), and never less than that of any way.
    """
    nothing = np.ones(values.shape[1])
    if clusters.ndim == 1 or clusters.shape[1] == 1:
        return nothing
    total, largest = np.zeros(values.shape[1]), np.zeros(values.shape[1])
    ways = range(clusters.shape[1])
    for size in range(1, len(ways) + 1):
        for chosen in combinations(ways, size):
            both = np.unique(clusters[:, chosen], axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)
            square = np.nan_to_num(standard_error(values, both), nan=0.0) ** 2
            total += square if size % 2 else -square
            largest = np.maximum(largest, square) if size == 1 else largest
    own = np.nan_to_num(standard_error(values, coarsest(clusters)), nan=0.0) ** 2
    ratio = np.divide(np.maximum(total, largest), own, out=nothing.copy(), where=own > 0)
    return np.sqrt(np.maximum(ratio, 1.0))


def sign_flip(sums: Array, draws: int = DRAWS, seed: int = 0) -> SignFlip:
    """One-sided sign-flip tests of M means against 0 from cluster sums `[C, M]`.

    Under the hypothesis that clusters are independent and symmetric about 0, every assignment of signs is as likely as
    the one seen (Fisher 1935). Columns with at most `EXACT` clusters that are not 0 count all assignments;
    the others count the one seen and `draws` drawn ones (Phipson and Smyth 2010). Rows of zeros change nothing,
    so columns of different numbers of clusters may be tested together, padded with zeros.
    """
    scale = np.abs(sums).sum(axis=0)
    shares = (sums / np.where(scale > 0, scale, 1.0)).astype(np.float32)
    few = (sums != 0).sum(axis=0) <= EXACT
    below, above = np.ones(sums.shape[1]), np.ones(sums.shape[1])
    if few.any():
        chosen = _largest(shares[:, few], EXACT)
        below[few], above[few] = _tails(chosen, _every_subset(len(chosen)), seen=False)
    if not few.all():
        below[~few], above[~few] = _tails(shares[:, ~few], _drawn_subsets(len(sums), draws, seed), seen=True)
    return SignFlip(below, above)


def _tails(sums: Subsets, subsets: Iterator[Subsets], seen: bool) -> tuple[Array, Array]:
    """Shares of sign assignments whose sum is at most, and at least, the sum seen; ties count.

    Turning the signs of a subset lowers the sum where the subset's own sum is above 0.
    """
    total = int(seen)
    below, above = np.full(sums.shape[1], float(seen)), np.full(sums.shape[1], float(seen))
    for some in subsets:
        turned = some @ sums
        below += (turned >= -TIE).sum(axis=0)
        above += (turned <= TIE).sum(axis=0)
        total += len(some)
    return below / total, above / total


def _largest(sums: Subsets, count: int) -> Subsets:
    """The rows of largest size of each column, `[min(C, count), M]`."""
    order = np.argsort(-np.abs(sums), axis=0)[:count]
    largest: Subsets = np.take_along_axis(sums, order, axis=0)
    return largest


def _every_subset(clusters: int) -> Iterator[Subsets]:
    """All subsets `[2**C, C]` as 0 and 1, in chunks."""
    places = np.arange(clusters)
    for start in range(0, 2**clusters, CHUNK):
        numbers = np.arange(start, min(start + CHUNK, 2**clusters))
        yield ((numbers[:, None] >> places) & 1).astype(np.float32)


def _drawn_subsets(clusters: int, draws: int, seed: int) -> Iterator[Subsets]:
    """Random subsets `[draws, C]` as 0 and 1, in chunks."""
    random = np.random.default_rng(seed)
    for start in range(0, draws, CHUNK):
        packed = random.integers(0, 256, (min(CHUNK, draws - start), -(-clusters // 8)), dtype=np.uint8)
        yield np.unpackbits(packed, axis=1, count=clusters).astype(np.float32)
