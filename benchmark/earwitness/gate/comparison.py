"""Rows of one submission on one task, before and after, as arrays of the same items; what is missing is the floor's."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from earwitness import metrics as declared
from earwitness.results.rows import Status
from earwitness.stats.intervals import numbered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from earwitness.stats.intervals import Array

FLOOR = "random"
"""The submission whose values are the floor of every task."""


@dataclass(frozen=True)
class Compared:
    """Values of M metrics on N items of the baseline, before and after."""

    task: str
    submission: str
    metrics: list[str]
    items: list[str]
    clusters: NDArray[np.int64]
    """[N] number of each item's cluster."""
    before: Array
    """[N, M] mean over seeds; NaN where the metric does not apply to the item."""
    after: Array
    missing: NDArray[np.bool_]
    """[N, M] whether the run lacks a value that the item should have; it counts as the floor."""
    notes: tuple[str, ...]
    """What items the two sides do not share, for people."""


@dataclass(frozen=True)
class _Axes:
    items: list[str]
    generation_seeds: list[int]
    explainer_seeds: list[int]
    metrics: list[str]


def rows_of(rows: pa.Table, task: str, submission: str) -> pa.Table:
    """The rows of one submission on one task."""
    return rows.filter(pc.and_(pc.equal(rows["task"], task), pc.equal(rows["submission"], submission)))


@cache
def direction(metric: str) -> int:
    """1 where higher values of a metric are more faithful, -1 where lower are, 0 where it is a description.

    >>> direction("fid_cf@top30"), direction("fid_f@top30"), direction("size")
    (1, -1, 0)
    """
    declaration = declared.all_metrics().get(metric.split("@")[0])
    return {"higher": 1, "lower": -1, "none": 0}[declaration.direction if declaration else "none"]


def compare(run: pa.Table, baseline: pa.Table, task: str, submission: str, metrics: Sequence[str]) -> Compared:
    """The values of a submission on a task, paired by item and seed.

    Items and seeds are the baseline's. A value that one side lacks where the other side or the floor has one is the
    floor's: the random explainer's on that item and seed where rows have it, else the worst end of the metric's range,
    and where that is infinite the worst value that any row has.
    """
    old, new = rows_of(baseline, task, submission), rows_of(run, task, submission)
    items, generation_seeds, explainer_seeds = (sorted(pc.unique(old[name]).to_pylist()) for name in _PLACES)
    axes = _Axes(items, generation_seeds, explainer_seeds, list(metrics))
    # Rows of another version of the task say nothing of its floor.
    version = new["task_hash"][0]
    seen = pa.concat_tables([side.filter(pc.equal(side["task_hash"], version)) for side in (run, baseline)])
    seen = seen.filter(pc.equal(seen["task"], task))
    floor = _array(seen.filter(pc.equal(seen["submission"], FLOOR)), axes)
    before, after = _array(old, axes), _array(new, axes)
    applies = ~(np.isnan(before) & np.isnan(after) & np.isnan(floor))
    missing = applies & np.isnan(after)
    floor = _with_worst(floor, applies & (np.isnan(before) | np.isnan(after)), axes.metrics, seen)
    first = dict(zip(old["item"].to_pylist(), old["cluster"].to_pylist(), strict=True))
    return Compared(
        task=task,
        submission=submission,
        metrics=list(metrics),
        items=axes.items,
        clusters=numbered([first[item] for item in axes.items]),
        before=_over_seeds(before, floor, applies),
        after=_over_seeds(after, floor, applies),
        missing=np.asarray(missing.any(axis=1)),
        notes=_notes(task, submission, {*axes.items}, {*pc.unique(new["item"]).to_pylist()}),
    )


def _notes(task: str, submission: str, before: set[str], after: set[str]) -> tuple[str, ...]:
    """What the run's items are, where they are not the baseline's."""
    notes = []
    if before - after:
        lost = len(before - after)
        notes.append(
            f"{submission} on {task}: the run has no row of {lost} of {len(before)} items, counted as the floor"
        )
    if after - before:
        notes.append(f"{submission} on {task}: {len(after - before)} items of the run are not in the baseline")
    return tuple(notes)


_PLACES = ("item", "generation_seed", "explainer_seed")


def _array(rows: pa.Table, axes: _Axes) -> Array:
    """[N, S, M] values of rows, NaN where there is none; S counts pairs of seeds."""
    rows = rows.filter(_has_value(rows))
    sides: tuple[list[Any], ...] = (axes.items, axes.generation_seeds, axes.explainer_seeds, axes.metrics)
    codes = [_codes(rows[name], values) for name, values in zip((*_PLACES, "metric"), sides, strict=True)]
    known = np.all([code >= 0 for code in codes], axis=0)
    values = np.full(tuple(len(side) for side in sides), np.nan)
    values[tuple(code[known] for code in codes)] = rows["value"].to_numpy()[known]
    return values.reshape(len(axes.items), -1, len(axes.metrics))


def _codes(column: pa.ChunkedArray, values: Sequence[Any]) -> NDArray[np.int64]:
    """Place of each row's value among values, -1 where it is none of them."""
    places = pc.index_in(column, value_set=pa.array(values, column.type))
    return np.asarray(pc.fill_null(places, -1).to_numpy(), dtype=np.int64)


def _has_value(rows: pa.Table) -> pa.ChunkedArray:
    finite = pc.fill_null(pc.is_finite(rows["value"]), False)
    return pc.and_(pc.equal(rows["status"], Status.OK.value), finite)


def _with_worst(floor: Array, needed: NDArray[np.bool_], metrics: list[str], seen: pa.Table) -> Array:
    """The floor [N, S, M], with a metric's worst value where it is needed and there is none."""
    lacking = np.isnan(floor) & needed
    filled = floor.copy()
    for number in np.flatnonzero(lacking.any(axis=(0, 1))):
        filled[..., number][lacking[..., number]] = _worst(metrics[number], seen)
    return filled


def _worst(metric: str, seen: pa.Table) -> float:
    """The least faithful value that a metric can have, or that was seen where there is no end to them."""
    sign = direction(metric)
    end = declared.get(metric.split("@")[0]).range[0 if sign >= 0 else 1]
    if np.isfinite(end):
        return end
    values = seen.filter(pc.and_(pc.equal(seen["metric"], metric), _has_value(seen)))["value"].to_numpy()
    if not len(values):
        return float("nan")
    return float(values.min() if sign >= 0 else values.max())


def _over_seeds(values: Array, floor: Array, applies: NDArray[np.bool_]) -> Array:
    """[N, M] mean over the seeds `[N, S, M]` that a metric applies to, missing values at the floor."""
    full = np.where(np.isnan(values), floor, values)
    with np.errstate(invalid="ignore"):
        mean: Array = np.where(applies, full, 0.0).sum(axis=1) / applies.sum(axis=1)
    return mean
