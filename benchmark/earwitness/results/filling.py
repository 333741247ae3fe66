"""What a failed value is worth: the floor's value, or the worst there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

from earwitness import metrics as declared
from earwitness.results.coding import places
from earwitness.results.rows import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from earwitness.stats.intervals import Array


_KNOWN: dict[str, declared.MetricSpec] = {}
"""Declarations that were found, by a metric's id."""


def direction(metric: str) -> int:
    """1 where higher values of a metric are more faithful, -1 where lower are, 0 where it is a description.

    >>> direction("fid_cf@top30"), direction("fid_f@top30"), direction("size")
    (1, -1, 0)
    """
    declaration = _declaration(metric)
    return {"higher": 1, "lower": -1, "none": 0}[declaration.direction if declaration else "none"]


def definers(metric: str) -> tuple[str, ...]:
    """Submissions whose method is a metric's own definition, so that it never ranks them.

    >>> definers("swap_corr"), definers("fid_f@top30")
    (('swap',), ())
    """
    declaration = _declaration(metric)
    return declaration.defined_by if declaration else ()


def _declaration(metric: str) -> declared.MetricSpec | None:
    """The declaration of a metric; one that is not known yet is looked for again, since a run may bring it later."""
    if metric not in _KNOWN:
        found = declared.find(metric)
        if found is None:
            return None
        _KNOWN[metric] = found
    return _KNOWN[metric]


def floor_values(raw: Array, floor: int | None, metrics: Sequence[str], worst: Array) -> Array:
    """[N, G, X, M] what failed values take, from raw values [E, N, G, X, M] and the entrant that is the floor.

    The floor's value, its mean over items where it has none, the worst end of the metric's range where it has none at
    all, and the worst value seen [M] where the range has no end.
    """
    ends = np.array([_end(metric) for metric in metrics], dtype=np.float64)
    ends = np.where(np.isfinite(ends), ends, worst)
    if floor is None:
        return np.broadcast_to(ends, raw.shape[1:])
    own = raw[floor]
    present = ~np.isnan(own)
    with np.errstate(invalid="ignore"):
        mean = np.where(present, own, 0.0).sum(axis=(0, 1, 2)) / present.sum(axis=(0, 1, 2))
    return np.where(present, own, np.where(np.isnan(mean), ends, mean))


def worst_seen(raw: Array, metrics: Sequence[str], others: pa.Table | None = None) -> Array:
    """[M] the least faithful of raw values [E, N, G, X, M] and of other rows that are ok; NaN where there is none."""
    signs = _signs(metrics)
    lowest = np.min(signs * raw, axis=(0, 1, 2, 3), where=~np.isnan(raw), initial=np.inf)
    if others is not None:
        known = others.filter(pc.and_(pc.equal(others["status"], Status.OK.value), pc.is_finite(others["value"])))
        metric = places(known["metric"], metrics)
        np.minimum.at(lowest, metric, signs[metric] * known["value"].to_numpy())
    return np.where(np.isfinite(lowest), signs * lowest, np.nan)


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
    declaration = _declaration(metric)
    if declaration is None:
        return float("-inf")
    return declaration.range[0 if direction(metric) >= 0 else 1]
