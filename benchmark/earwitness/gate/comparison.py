"""Rows of one submission on one task, before and after, on the items that both sides ran."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from earwitness.errors import NotComparableError
from earwitness.results.cube import FLOOR, Cube, Sides, side_by_side
from earwitness.results.versions import Preferred

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from earwitness.stats.intervals import Array

BEFORE, AFTER = 0, 1
"""Entrants of the cube of a comparison."""


@dataclass(frozen=True)
class Compared:
    """Values of M metrics before and after, on the N items that both sides ran."""

    task: str
    submission: str
    metrics: list[str]
    items: list[str]
    clusters: NDArray[np.int64]
    """[N] number of each item's cluster; of crossed ones, the way that has fewest."""
    ways: NDArray[np.int64]
    """[N, W] the same in each way."""
    before: Array
    """[N, M] mean over seeds, failed values at the floor; NaN where the metric does not apply to the item."""
    after: Array
    after_at_worst: Array
    """[N, M] the same, but where the run failed and the baseline did not, no better than the worst value seen."""
    failed: NDArray[np.bool_]
    """[N, M] whether the run's value failed and is the floor's."""
    has_value: NDArray[np.bool_]
    """[M] whether any item has a value on either side that did not fail."""
    notes: tuple[str, ...]
    """What the two sides do not share, for people."""


def rows_of(rows: pa.Table, task: str, submission: str) -> pa.Table:
    """The rows of one submission on one task."""
    return rows.filter(pc.and_(pc.equal(rows["task"], task), pc.equal(rows["submission"], submission)))


def compare(run: pa.Table, baseline: pa.Table, task: str, submission: str, metrics: Sequence[str]) -> Compared:
    """The values of a submission on a task, paired by item and seed.

    Seeds are the baseline's, items those that both sides ran; failed values take the floor's, of the rows of `random`
    on either side. Raises NotComparableError where the sides share no item, or a metric was measured by another version
    of it.
    """
    old, new = rows_of(baseline, task, submission), rows_of(run, task, submission)
    # Rows of another version of the task say nothing of its floor.
    others = pa.concat_tables([_of_version(side, task, new["task_hash"][0]) for side in (run, baseline)])
    floor = others.filter(pc.equal(others["submission"], FLOOR))
    new, floor = (_under_seeds_of(old, side) for side in (new, floor))
    versions = {metric: _versions(new, metric) for metric in metrics}
    for metric in metrics:
        before = _versions(old, metric)
        if before and not versions[metric]:
            raise NotComparableError(
                f"{metric} of {submission} on {task}: the baseline has values and the run has no row of it; score the "
                "run by the baseline's metrics, or write the baseline again"
            )
        if before and not set(versions[metric]) & set(before):
            raise NotComparableError(
                f"{metric} of {submission} on {task} was measured by another version of the metric than in the "
                "baseline; write the baseline again with `earwitness baseline update`"
            )
    preferred = Preferred(metrics={metric: version[0] for metric, version in versions.items() if version})
    found = side_by_side(Sides(old, new, floor, others), metrics, preferred)
    shared = found.shared(BEFORE, AFTER)
    if not shared.any():
        raise NotComparableError(f"{submission} on {task}: run and baseline share no item")
    ran = found.ran[[BEFORE, AFTER]].sum(axis=1).tolist()
    notes = _notes(f"{submission} on {task}", ran[BEFORE], ran[AFTER], int(shared.sum()))
    return _compared(task, submission, found.on(shared), (*notes, *found.notes))


def _compared(task: str, submission: str, cube: Cube, notes: tuple[str, ...]) -> Compared:
    sides = [BEFORE, AFTER]
    return Compared(
        task=task,
        submission=submission,
        metrics=cube.metrics,
        items=cube.items,
        clusters=cube.clusters,
        ways=cube.ways,
        before=cube.values[BEFORE],
        after=cube.values[AFTER],
        after_at_worst=np.where(cube.failed[BEFORE], cube.values[AFTER], cube.values_at_worst[AFTER]),
        failed=cube.failed[AFTER],
        has_value=np.asarray((~np.isnan(cube.values[sides]) & ~cube.failed[sides]).any(axis=(0, 1))),
        notes=notes,
    )


def _of_version(rows: pa.Table, task: str, version: pa.Scalar) -> pa.Table:
    rows = rows.filter(pc.and_(pc.equal(rows["task"], task), pc.equal(rows["task_hash"], version)))
    return rows.replace_schema_metadata(None)


def _under_seeds_of(baseline: pa.Table, rows: pa.Table) -> pa.Table:
    for column in ("generation_seed", "explainer_seed"):
        rows = rows.filter(pc.is_in(rows[column], value_set=pc.unique(baseline[column])))
    return rows


def _versions(rows: pa.Table, metric: str) -> list[str]:
    """Hashes of a metric in its rows, failed ones included, the most frequent first."""
    known = rows.filter(pc.equal(rows["metric"], metric))
    counts = pc.value_counts(known["metric_hash"]).to_pylist()
    return [entry["values"] for entry in sorted(counts, key=lambda entry: (-entry["counts"], entry["values"]))]


def _notes(what: str, before: int, after: int, shared: int) -> tuple[str, ...]:
    """What items the two sides do not share."""
    notes = []
    if shared < before:
        notes.append(f"{what}: the run has no row of {before - shared} of {before} items, which are left out")
    if shared < after:
        notes.append(f"{what}: {after - shared} items of the run are not in the baseline")
    return tuple(notes)
