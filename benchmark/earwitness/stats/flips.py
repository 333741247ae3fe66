"""Signs of clusters, and the largest of many statistics under them: what chance alone makes of a family of tests."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from earwitness.stats.intervals import Array

EXACT = 14
"""Clusters up to which all sign assignments are counted."""
DRAWS = 10_000
CHUNK = 2048
"""Sign assignments that are held in memory at once."""
KEPT = 8_000_000
"""Numbers of a drawing that is kept for the next family of as many clusters; a larger one is drawn again."""
TIE = 1e-5
"""Statistics that differ by less, relative to the larger, are equal: single precision cannot tell them apart."""
ROUNDING = 1e-12
"""What is smaller is rounding."""
Signs = NDArray[np.float32]
Under = NDArray[np.floating[Any]]
"""[R, K] statistics under each of some assignments."""


def signs(clusters: int, draws: int = DRAWS, seed: int = 0, chunk: int = CHUNK) -> Iterator[Signs]:
    """Sign assignments `[R, C]` in chunks, the one seen first: all of them up to `EXACT` clusters, else drawn ones.

    Counting the one seen among the drawn keeps a test's level (Phipson and Smyth 2010).
    """
    if clusters <= EXACT:
        places = np.arange(clusters)
        for start in range(0, 2**clusters, chunk):
            numbers = np.arange(start, min(start + chunk, 2**clusters))
            yield (1 - 2 * ((numbers[:, None] >> places) & 1)).astype(np.float32)
        return
    yield np.ones((1, clusters), dtype=np.float32)
    chunk = max(1, min(chunk, draws))
    yield from (_kept if draws * clusters <= KEPT else _drawn)(clusters, draws, seed, chunk)


def _drawn(clusters: int, draws: int, seed: int, chunk: int) -> Iterator[Signs]:
    random = np.random.default_rng(seed)
    for start in range(0, draws, chunk):
        packed = random.integers(0, 256, (min(chunk, draws - start), -(-clusters // 8)), dtype=np.uint8)
        yield 1 - 2 * np.unpackbits(packed, axis=1, count=clusters).astype(np.float32)


@lru_cache(maxsize=2)
def _kept(clusters: int, draws: int, seed: int, chunk: int) -> tuple[Signs, ...]:
    """The drawn assignments: families of a board are many and of the same clusters."""
    drawn = tuple(_drawn(clusters, draws, seed, chunk))
    for some in drawn:
        some.flags.writeable = False
    return drawn


def critical(largest: Array, level: float) -> float:
    """The value above which the largest of `[R]` statistics lies in less than a share `level` of assignments.

    The first of them is the one seen. Infinite where no value is so rare.
    """
    ordered = np.sort(largest)[::-1]
    # A statistic is told where fewer than `level` of all are at least as large: it must exceed this one.
    last = int(np.ceil(level * len(ordered) - 1e-9)) - 1
    return float(ordered[last]) if last >= 0 else float("inf")


def stepped_down(
    seen: Array, largest: Callable[[NDArray[np.bool_]], Array], level: float
) -> tuple[NDArray[np.bool_], float]:
    """Which of some statistics are told from chance at a familywise level, and the critical value of the last step.

    largest gives, for those not yet told, the largest of them under each sign assignment (Romano and Wolf 2005): what
    is told leaves the family, until nothing more is. What is told exceeds the last step's critical value, the rest does
    not.
    """
    told = np.zeros(seen.shape, dtype=bool)
    while True:
        limit = critical(largest(~told), level)
        limit += TIE * abs(limit)
        more = (seen > limit) & ~told
        if not more.any() or (told | more).all():
            return told | more, limit
        told |= more


def max_t(observed: Array, under: Callable[[NDArray[np.int64]], Iterator[Under]], level: float) -> tuple[Array, float]:
    """Adjusted p-values [K] of one-sided statistics [K], and the critical value of the last step.

    under gives, for the statistics of the given numbers, chunks [R, k] of what they are under each assignment, the one
    seen first. Westfall and Young's step-down max-T (1993, algorithm 2.8).
    """
    if not len(observed):
        return observed, float("inf")
    ranked = np.argsort(-observed, kind="stable")
    bounds = observed[ranked] * (1 - TIE) - ROUNDING
    counts, total = np.zeros(len(ranked)), 0
    for some in under(ranked):
        # Of each place, the largest of what is not ranked before it.
        running = np.maximum.accumulate(some[:, ::-1], axis=1)[:, ::-1]
        counts += (running >= bounds).sum(axis=0)
        total += len(some)
    p = np.empty(len(ranked))
    p[ranked] = np.maximum.accumulate(counts / max(total, 1))
    told = p < level
    left = ranked[~told[ranked]]
    limit = critical(np.concatenate([some.max(axis=1, initial=-np.inf) for some in under(left)]), level)
    # Where few clusters differ at all, chance has few values: an interval is no narrower than of a normal mean. Nor may
    # rounding part it from the verdict.
    limit = max(limit, float(norm.ppf(1 - level / 2)), float(observed[~told].max(initial=-np.inf)))
    return p, min(limit, float(observed[told].min(initial=np.inf)) * (1 - 1e-9))
