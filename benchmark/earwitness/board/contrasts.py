"""Which entrants beat a control: paired differences on the same items, with intervals and tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from earwitness.stats.intervals import mean_interval
from earwitness.stats.multiplicity import holm
from earwitness.stats.paired import cluster_sums, sign_flip

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from earwitness.board.facts import MetricFacts
    from earwitness.board.values import Measured
    from earwitness.stats.intervals import Array, Interval, Sampling

Record = dict[str, Any]
LEVEL = 0.05
"""Of the chance, for each control and metric, that any entrant is said to be ahead or behind without being so."""
AHEAD, BEHIND, NEITHER = "ahead", "behind", "not told apart"
FEW = "too few items"
"""Not even a gain on every item would be told from chance."""


def contrasts(
    measured: Measured, facts: Sequence[MetricFacts], controls: Sequence[int], sampling: Sampling
) -> list[Record]:
    """A record of each control, other entrant and metric that has a direction: the gain over the control.

    A gain is the mean over items of entrant less control, its sign turned where lower is more faithful, so that above
    0 is more faithful; its interval is a cluster bootstrap's. The verdict is that of two one-sided sign-flip tests,
    adjusted for all entrants (Holm) and for both sides; `FEW` where they could not reach the level on so few clusters.
    """
    columns = [number for number, metric in enumerate(facts) if metric.direction != "none"]
    signs = np.array([-1.0 if facts[number].direction == "lower" else 1.0 for number in columns])
    entrants = range(len(measured.entrants))
    records = []
    for control in controls:
        others = [entrant for entrant in entrants if entrant != control]
        if not others or not columns:
            continue
        values = measured.values[:, :, columns] * signs
        gains = values[:, others] - values[:, [control]]
        found = mean_interval(gains, measured.clusters, sampling)
        above, below = _tested(gains, measured)
        few = ~_decidable(gains, measured.clusters)
        for place, entrant in enumerate(others):
            for at, number in enumerate(columns):
                told = AHEAD if above[place, at] < LEVEL else BEHIND if below[place, at] < LEVEL else NEITHER
                verdict = FEW if few[place, at] else told
                record = {"control": control, "entrant": entrant, "metric": facts[number].id, "verdict": verdict}
                records.append(record | _gain(found, place, at))
    return records


def _tested(gains: Array, measured: Measured) -> tuple[Array, Array]:
    """Adjusted p-values [E, M] of a gain above and below 0; NaN, which is below no level, where no item has one."""
    known = np.asarray((~np.isnan(gains)).any(axis=0))
    shape = known.shape
    tests = sign_flip(cluster_sums(gains.reshape(len(gains), -1), measured.clusters))
    sides = []
    for side in (tests.above.reshape(shape), tests.below.reshape(shape)):
        adjusted = np.full(shape, np.nan)
        for column in range(shape[1]):
            rows = known[:, column]
            adjusted[rows, column] = np.minimum(2 * holm(side[rows, column]), 1.0)
        sides.append(adjusted)
    return sides[0], sides[1]


def _decidable(gains: Array, clusters: NDArray[np.int64]) -> NDArray[np.bool_]:
    """[E, M] whether a gain in all clusters would be told: of n clusters the least p-value of a side is 2 ** -n."""
    known = ~np.isnan(gains)
    flat = known.reshape(len(known), -1).astype(np.float64)
    counts = (cluster_sums(flat, clusters) > 0).sum(axis=0).reshape(known.shape[1:])
    tested = (counts > 0).sum(axis=0)
    return np.asarray(2 * tested * 0.5**counts < LEVEL)


def _gain(found: Interval, entrant: int, metric: int) -> Record:
    values = (float(each[entrant, metric]) for each in (found.value, found.low, found.high))
    return dict(zip(("gain", "low", "high"), (value if np.isfinite(value) else None for value in values), strict=True))
