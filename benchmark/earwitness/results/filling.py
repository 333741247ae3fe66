"""What a failed value is worth: the floor's value, or the worst there is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from earwitness import metrics as declared

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from earwitness.stats.intervals import Array


@dataclass(frozen=True)
class Floor:
    """What failed values take."""

    floor: Array
    """[N, G, X, M] the floor's value, its mean over items where it has none, else the worst end of the range."""
    worst: Array
    """[M] least faithful value seen; NaN where none is."""


@cache
def direction(metric: str) -> int:
    """1 where higher values of a metric are more faithful, -1 where lower are, 0 where it is a description.

    >>> direction("fid_cf@top30"), direction("fid_f@top30"), direction("size")
    (1, -1, 0)
    """
    declaration = declared.all_metrics().get(metric.split("@")[0])
    return {"higher": 1, "lower": -1, "none": 0}[declaration.direction if declaration else "none"]


def floor_values(raw: Array, floor: int | None, metrics: Sequence[str]) -> Floor:
    """What failed values take, from raw values [E, N, G, X, M] and the entrant that is the floor."""
    signs = _signs(metrics)
    lowest = np.min(signs * raw, axis=(0, 1, 2, 3), where=~np.isnan(raw), initial=np.inf)
    worst = np.where(np.isfinite(lowest), signs * lowest, np.nan)
    ends = np.array([_end(metric) for metric in metrics], dtype=np.float64)
    ends = np.where(np.isfinite(ends), ends, worst)
    if floor is None:
        return Floor(np.broadcast_to(ends, raw.shape[1:]), worst)
    own = raw[floor]
    present = ~np.isnan(own)
    with np.errstate(invalid="ignore"):
        mean = np.where(present, own, 0.0).sum(axis=(0, 1, 2)) / present.sum(axis=(0, 1, 2))
    return Floor(np.where(present, own, np.where(np.isnan(mean), ends, mean)), worst)


def filled(raw: Array, failed: NDArray[np.bool_], floor: Array) -> Array:
    """[E, N, G, X, M] raw values with those that failed at the floor [N, G, X, M]."""
    return np.where(failed, floor[None], raw)


def worse(values: Array, other: Array, metrics: Sequence[str]) -> Array:
    """The less faithful of values [..., M] and of one value a metric [M]."""
    signs = _signs(metrics)
    least: Array = signs * np.fmin(signs * values, signs * other)
    return least


def _signs(metrics: Sequence[str]) -> Array:
    """[M] 1 where higher is more faithful or the metric describes, -1 where lower is."""
    return np.array([-1.0 if direction(metric) < 0 else 1.0 for metric in metrics])


def _end(metric: str) -> float:
    """The least faithful end of a metric's declared range."""
    declaration = declared.all_metrics().get(metric.split("@")[0])
    if declaration is None:
        return float("-inf")
    return declaration.range[0 if direction(metric) >= 0 else 1]
