"""Which entrants beat a control: paired differences on the items that both ran, with intervals and tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from earwitness.results.filling import direction
from earwitness.stats.intervals import mean_interval
from earwitness.stats.multiplicity import holm
from earwitness.stats.paired import cluster_sums, sign_flip

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from earwitness.results.cube import Cube
    from earwitness.stats.intervals import Array, Interval, Sampling

Record = dict[str, Any]
LEVEL = 0.05
"""Of the chance, for each family, that anything in it is said to be ahead or behind without being so."""
AHEAD, BEHIND, NEITHER = "ahead", "behind", "not told apart"
FEW = "too few items"
"""Not even a gain on every item would be told from chance."""


@dataclass(frozen=True)
class Gains:
    """How much more faithful F entrants are than another one, by M metrics; NaN where one of them has no value."""

    value: Array
    """[N, F, M] failed items at the floor."""
    least: Array
    """[N, F, M] failed items of the F entrants at the worst value seen: what is claimed for them must hold here."""
    most: Array
    """[N, F, M] failed items of the other one at the worst value seen."""


@dataclass(frozen=True)
class Verdicts:
    """What tests say of gains [N, F, M]."""

    words: NDArray[np.object_]
    """[F, M] `AHEAD`, `BEHIND`, `NEITHER` or `FEW`."""
    p: Array
    """[F, M] adjusted p-value of the likelier side; NaN where no item has a gain."""


def contrasts(cube: Cube, controls: Sequence[int], sampling: Sampling) -> list[Record]:
    """A record of each control, other entrant and metric that has a direction: the gain over the control.

    A gain is the mean over items of entrant less control, its sign turned where lower is more faithful, so that above
    0 is more faithful; its interval is a cluster bootstrap's. The verdict is that of `verdicts`, adjusted for all
    entrants.
    """
    columns = [number for number, metric in enumerate(cube.metrics) if direction(metric)]
    records = []
    for control in controls:
        others = [entrant for entrant in range(len(cube.entrants)) if entrant != control]
        if not others or not columns:
            continue
        gains = gains_over(cube, others, control, columns)
        found = mean_interval(gains.value, cube.clusters, sampling)
        told = verdicts(gains, cube.clusters)
        items = (~np.isnan(gains.value)).sum(axis=0)
        for place, entrant in enumerate(others):
            for at, number in enumerate(columns):
                record = {"control": control, "entrant": entrant, "metric": cube.metrics[number]}
                record |= {"verdict": told.words[place, at], "items": int(items[place, at])}
                records.append(record | _gain(found, place, at))
    return records


def gains_over(cube: Cube, entrants: Sequence[int], other: int, metrics: Sequence[int]) -> Gains:
    """The gains of entrants over another one."""
    signs = np.array([float(direction(cube.metrics[number])) for number in metrics])
    values, worst = (side[:, :, metrics] * signs for side in (cube.values, cube.values_at_worst))
    chosen = list(entrants)
    sides = (values[chosen] - values[other], worst[chosen] - values[other], values[chosen] - worst[other])
    return Gains(*(side.transpose(1, 0, 2) for side in sides))


def verdicts(gains: Gains, clusters: NDArray[np.int64]) -> Verdicts:
    """Two one-sided sign-flip tests on clusters for each gain, adjusted for all F of a metric (Holm) and both sides.

    `FEW` where they could not reach the level on so few clusters.
    """
    known = np.asarray((~np.isnan(gains.value)).any(axis=0))
    above = _adjusted(sign_flip(_sums(gains.least, clusters)).above.reshape(known.shape), known)
    below = _adjusted(sign_flip(_sums(gains.most, clusters)).below.reshape(known.shape), known)
    words = np.full(known.shape, NEITHER, dtype=object)
    words[below < LEVEL] = BEHIND
    words[above < LEVEL] = AHEAD
    words[~_decidable(gains.value, clusters)] = FEW
    return Verdicts(words, np.minimum(above, below))


def _sums(gains: Array, clusters: NDArray[np.int64]) -> Array:
    return cluster_sums(gains.reshape(len(gains), -1), clusters)


def _adjusted(p: Array, known: NDArray[np.bool_]) -> Array:
    """[F, M] p-values of one side adjusted for both; NaN, which is below no level, where no item has a gain."""
    adjusted = np.full(known.shape, np.nan)
    for column in range(known.shape[1]):
        rows = known[:, column]
        adjusted[rows, column] = np.minimum(2 * holm(p[rows, column]), 1.0)
    return adjusted


def _decidable(gains: Array, clusters: NDArray[np.int64]) -> NDArray[np.bool_]:
    """[F, M] whether a gain in all clusters would be told: of n clusters the least p-value of a side is 2 ** -n."""
    known = ~np.isnan(gains)
    counts = (_sums(known.astype(np.float64), clusters) > 0).sum(axis=0).reshape(known.shape[1:])
    tested = (counts > 0).sum(axis=0)
    return np.asarray(2 * tested * 0.5**counts < LEVEL)


def _gain(found: Interval, entrant: int, metric: int) -> Record:
    values = (float(each[entrant, metric]) for each in (found.value, found.low, found.high))
    return dict(zip(("gain", "low", "high"), (value if np.isfinite(value) else None for value in values), strict=True))
