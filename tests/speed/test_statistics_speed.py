"""Our intervals and tests against scipy's on the same values, in one process: CPU seconds, and how far apart."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pytest
from scipy import stats

from earwitness.stats.intervals import Resampling, mean_interval, weights
from earwitness.stats.paired import sign_flip

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS, DRAWS = 5, 2000
SHAPES = ((100, 1), (100, 35), (100, 350), (2_000, 35))
"""Clusters and columns: one metric, a task's metrics, ten entrants' metrics, and a large task's metrics."""
R = TypeVar("R")


def quickest(run: Callable[[], R]) -> tuple[float, R]:
    """CPU seconds of the quickest of some rounds, and the result."""
    seconds = []
    for _ in range(ROUNDS):
        weights.cache_clear()
        start = time.process_time()
        found = run()
        seconds.append(time.process_time() - start)
    return min(seconds), found


@pytest.mark.slow
@pytest.mark.parametrize(("clusters", "columns"), SHAPES)
def test_bootstrap_intervals_against_scipys(clusters: int, columns: int) -> None:
    values = np.random.default_rng(0).exponential(size=(clusters, columns))
    own = np.arange(clusters)
    ours, found = quickest(lambda: mean_interval(values, own, Resampling(draws=DRAWS)))

    def by_scipy() -> Any:
        return stats.bootstrap((values,), np.mean, axis=0, n_resamples=DRAWS, method="BCa", rng=0, batch=100)

    theirs, expected = quickest(by_scipy)
    ends = np.abs(np.stack([found.low, found.high]) - np.stack(expected.confidence_interval))
    apart = float((ends / (found.high - found.low)).max())
    print(f"\nBCa, {clusters} clusters, {columns} columns: {ours:.3f} against {theirs:.3f} CPU s, ", end="")
    print(f"{theirs / ours:.1f} times")
    print(f"  ends at most {apart:.2f} of an interval's length apart (other draws)")
    assert apart < 0.25


@pytest.mark.slow
@pytest.mark.parametrize(("clusters", "columns"), [(12, 35), *SHAPES])
def test_sign_flip_tests_against_scipys(clusters: int, columns: int) -> None:
    values = np.random.default_rng(0).normal(0.1, 1, (clusters, columns))
    ours, found = quickest(lambda: sign_flip(values, DRAWS))

    def by_scipy() -> Any:
        return stats.permutation_test(
            (values,), np.mean, permutation_type="samples", axis=0, n_resamples=DRAWS, alternative="greater", rng=0,
            vectorized=True, batch=100,
        )  # fmt: skip

    theirs, expected = quickest(by_scipy)
    apart = float(np.abs(found.above - expected.pvalue).max())
    print(f"\nsign flips, {clusters} clusters, {columns} columns: {ours:.3f} against {theirs:.3f} CPU s, ", end="")
    print(f"{theirs / ours:.1f} times; p at most {apart:.3f} apart")
    assert apart < 6 * 0.5 / np.sqrt(DRAWS)
