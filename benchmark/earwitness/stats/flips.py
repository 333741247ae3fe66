"""Signs of clusters, and the largest of many statistics under them: what chance alone makes of a family of tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from earwitness.stats.intervals import Array

EXACT = 14
"""Clusters up to which all sign assignments are counted."""
DRAWS = 10_000
CHUNK = 2048
"""Sign assignments that are held in memory at once."""
TIE = 1e-5
"""Statistics that differ by less, relative to the larger, are equal: single precision cannot tell them apart."""
Signs = NDArray[np.float32]


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
    random = np.random.default_rng(seed)
    for start in range(0, draws, chunk):
        packed = random.integers(0, 256, (min(chunk, draws - start), -(-clusters // 8)), dtype=np.uint8)
        yield 1 - 2 * np.unpackbits(packed, axis=1, count=clusters).astype(np.float32)


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
