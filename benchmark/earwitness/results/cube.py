"""The cube: rows as arrays, with the one rule for what failed, what is missing and who is partial.

* An entrant *ran* an item if it has any row of it. What it did not run did not fail: it is missing, never filled.
* A value *failed* where its row says so or holds no finite number, and where it was skipped or left out although
  another entrant has one. A failed item has one row a metric, which stands for every generation seed. A failed value is
  the floor's: that of the submission `random` on the same item, metric and seeds; else the floor's mean of the metric;
  else the worst end of the metric's range; where there is no end, the worst value seen.
* A value is *missing* where the item was not run, or the entrant has no row of the metric on it.
* A metric *does not apply* to an item that nobody has a value of and somebody skipped.
* The *roster* is the floor's items where there is a floor, else everybody's. Who did not run all of it is *partial*.
* Rows of one metric under several hashes never meet: those of one hash count, the others are missing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from earwitness.results.clusters import ways
from earwitness.results.coding import codes, one_of_each, places
from earwitness.results.filling import floor_values, worse, worst_seen
from earwitness.results.rows import Status
from earwitness.results.versions import Preferred, chosen_versions
from earwitness.stats.paired import coarsest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from earwitness.stats.intervals import Array

FLOOR = "random"
"""The submission whose values are the floor of every task."""
Entrant = tuple[str, str]
"""A submission and its hash."""
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Cube:
    """Values of E entrants on N items under G generation and X explainer seeds by M metrics."""

    entrants: list[Entrant]
    items: list[str]
    clusters: NDArray[np.int64]
    """[N] number of each item's cluster, from 0 without gaps; of crossed ones, the way that has fewest."""
    metrics: list[str]
    cells: Array
    """[E, N, G, X, M] values, those that failed at the floor; NaN where one is missing or does not apply."""
    failed_cells: Flags
    """[E, N, G, X, M] whether a value failed."""
    measured: Flags
    """[E, N, M] whether the entrant has a row of the metric on the item."""
    ran: Flags
    """[E, N] whether the entrant ran the item."""
    lost: Flags
    """[E, N] whether the item has a row that failed, was invalid or timed out."""
    roster: Flags
    """[N] whether the item counts."""
    worst: Array
    """[M] least faithful value seen."""
    floor: int | None
    """The entrant that is the floor."""
    notes: tuple[str, ...] = ()
    """What was left out, one line each."""
    crossed: NDArray[np.int64] | None = None
    """[N, W] clusters in all ways, where there are several."""

    @property
    def ways(self) -> NDArray[np.int64]:
        """[N, W] number of each item's cluster in each way."""
        return self.clusters[:, None] if self.crossed is None else self.crossed

    @cached_property
    def values(self) -> Array:
        """[E, N, M] mean over the seeds that apply, failed values at the floor; NaN where there is none."""
        return _mean_over_seeds(self.cells)

    @cached_property
    def values_at_worst(self) -> Array:
        """[E, N, M] the same with failed values no better than the worst seen.

        What is claimed of an entrant must hold here too: else failing on its worst items would make it better.
        """
        return _mean_over_seeds(np.where(self.failed_cells, worse(self.cells, self.worst, self.metrics), self.cells))

    @cached_property
    def failed(self) -> Flags:
        """[E, N, M] whether a value failed under any seed."""
        return np.asarray(self.failed_cells.any(axis=(2, 3)))

    @cached_property
    def missing(self) -> Flags:
        """[E, N, M] whether the entrant has no row of the metric on the item."""
        return ~self.measured

    def on(self, chosen: Flags) -> Cube:
        """The cube of the chosen items [N]."""
        return replace(
            self,
            items=[item for item, kept in zip(self.items, chosen, strict=True) if kept],
            **_clusters_of(self.ways[chosen]),
            cells=self.cells[:, chosen],
            failed_cells=self.failed_cells[:, chosen],
            measured=self.measured[:, chosen],
            ran=self.ran[:, chosen],
            lost=self.lost[:, chosen],
            roster=self.roster[chosen],
        )

    def on_roster(self) -> Cube:
        """The cube of the items that count, with a note on those that do not."""
        left = int((~self.roster).sum())
        note = f"{left} items that {FLOOR!r} was not run on are left out."
        return replace(self.on(self.roster), notes=(*self.notes, note)) if left else self

    def shared(self, first: int, second: int) -> Flags:
        """[N] the items that both of two entrants ran: where they meet."""
        return np.asarray(self.ran[first] & self.ran[second])

    def shortfalls(self, metrics: Sequence[int]) -> list[str]:
        """Why each entrant has no score by these metrics: `10 of 100 items run`, say; empty where it has one."""
        return [self._partial(entrant) or self._unmeasured(entrant, metrics) for entrant in range(len(self.entrants))]

    def _partial(self, entrant: int) -> str:
        ran, whole = int((self.ran[entrant] & self.roster).sum()), int(self.roster.sum())
        return "" if ran == whole else f"{ran} of {whole} items run"

    def _unmeasured(self, entrant: int, metrics: Sequence[int]) -> str:
        applies = ~np.isnan(self.values).all(axis=0) & self.roster[:, None]
        for metric in metrics:
            lacking = int((applies & self.missing[entrant])[:, metric].sum())
            if lacking:
                return f"{self.metrics[metric]} not measured on {lacking} of {int(applies[:, metric].sum())} items"
        return ""


def cube(rows: pa.Table, metrics: Sequence[str] | None = None, preferred: Preferred | None = None) -> Cube:
    """The cube of rows of one task: an entrant is a submission of one hash, metrics are in the given order.

    Without metrics, those of the rows in the order of their names. Of a key that several runs have, the row of the run
    with most rows counts.
    """
    preferred = preferred or Preferred()
    submissions, first = codes(rows["submission"])
    hashes, second = codes(rows["submission_hash"])
    pairs, entrant = np.unique(first * max(len(hashes), 1) + second, return_inverse=True)
    entrants = [(submissions[pair // len(hashes)], hashes[pair % len(hashes)]) for pair in pairs.tolist()]
    floor = _floor(entrants, np.bincount(entrant, minlength=len(entrants)), preferred.floor)
    return _built(rows, _Entrants(entrants, entrant.astype(np.int64), floor), metrics, preferred)


@dataclass(frozen=True)
class Sides:
    """Rows of two entrants on one task, and what else is known there."""

    first: pa.Table
    second: pa.Table
    floor: pa.Table
    """Of the floor; no rows where there is none."""
    others: pa.Table | None = None
    """Of anybody: of these only the worst values count."""


def side_by_side(sides: Sides, metrics: Sequence[str] | None = None, preferred: Preferred | None = None) -> Cube:
    """The cube of two tables as the entrants 0 and 1, whoever they are of, with the floor as the entrant 2."""
    tables = [sides.first, sides.second, *([sides.floor] if len(sides.floor) else [])]
    entrant = np.repeat(np.arange(len(tables)), [len(table) for table in tables])
    names = [(table["submission"][0].as_py(), table["submission_hash"][0].as_py()) for table in tables]
    rows = pa.concat_tables([table.replace_schema_metadata(None) for table in tables])
    entrants = _Entrants(names, entrant, 2 if len(sides.floor) else None)
    return _built(rows, entrants, metrics, preferred or Preferred(), sides.others)


@dataclass(frozen=True)
class _Entrants:
    """Who rows are of."""

    names: list[Entrant]
    of_row: NDArray[np.int64]
    floor: int | None


def _floor(entrants: list[Entrant], counts: NDArray[np.int64], preferred: str | None) -> int | None:
    """The floor's version with most rows, the preferred one of equals: one row of it must not shrink the roster."""
    found = [number for number, (submission, _) in enumerate(entrants) if submission == FLOOR]
    return max(found, key=lambda number: (int(counts[number]), entrants[number][1] == preferred), default=None)


def _versions_of_floor(rows: pa.Table, entrants: _Entrants) -> dict[str, str]:
    """Hash of each metric in the floor's rows: whoever is measured otherwise has nothing to be held against."""
    if entrants.floor is None:
        return {}
    mine = rows.filter(pa.array(entrants.of_row == entrants.floor))
    counts = mine.group_by(["metric", "metric_hash"]).aggregate([([], "count_all")])
    found = counts.sort_by([("count_all", "ascending"), ("metric_hash", "descending")]).to_pylist()
    return {entry["metric"]: entry["metric_hash"] for entry in found}


def _built(
    rows: pa.Table,
    entrants: _Entrants,
    metrics: Sequence[str] | None,
    preferred: Preferred,
    others: pa.Table | None = None,
) -> Cube:
    items, item = codes(rows["item"])
    ids = codes(rows["metric"])[0] if metrics is None else list(metrics)
    ran = np.zeros((len(entrants.names), len(items)), dtype=bool)
    ran[entrants.of_row, item] = True
    clusters = _clusters_of(_ways(rows["cluster"], item, len(items)))
    versions = chosen_versions(rows, ids, {**_versions_of_floor(rows, entrants), **preferred.metrics})
    counted = versions.count(rows)
    generations, generation = codes(rows["generation_seed"])
    explainers, explainer = codes(rows["explainer_seed"])
    axes = (entrants.of_row, item, generation, explainer, places(rows["metric"], ids))
    shape = (len(entrants.names), len(items), len(generations), len(explainers), len(ids))
    raw, outcome = _arrays(rows, axes, shape, counted)
    failed = _failed(outcome)
    worst = worst_seen(raw, ids, None if others is None else others.filter(pa.array(versions.count(others))))
    return Cube(
        entrants=entrants.names,
        items=items,
        **clusters,
        metrics=ids,
        cells=np.where(failed, floor_values(raw, entrants.floor, ids, worst)[None], raw),
        failed_cells=failed,
        measured=np.asarray((outcome != _NO_ROW).any(axis=(2, 3))),
        ran=ran,
        lost=np.asarray((outcome == _FAILED).any(axis=(2, 3, 4))),
        roster=ran[entrants.floor] if entrants.floor is not None else np.ones(len(items), dtype=bool),
        worst=worst,
        floor=entrants.floor,
        notes=versions.notes,
    )


_NO_ROW, _OK, _SKIPPED, _FAILED = range(4)


def _arrays(
    rows: pa.Table, axes: tuple[NDArray[np.int64], ...], shape: tuple[int, ...], counted: Flags
) -> tuple[Array, NDArray[np.int8]]:
    """Values and outcomes [E, N, G, X, M] of the rows that count, each key once."""
    rows, axes = rows.filter(pa.array(counted)), tuple(axis[counted] for axis in axes)
    raw, outcome = np.full(shape, np.nan), np.full(shape, _NO_ROW, dtype=np.int8)
    if not len(rows):
        return raw, outcome
    once = one_of_each(np.ravel_multi_index(axes, shape), rows)
    rows, axes = rows.take(pa.array(once)), tuple(axis[once] for axis in axes)
    value = rows["value"].to_numpy(zero_copy_only=False).astype(np.float64)
    ok = pc.equal(rows["status"], Status.OK.value).to_numpy(zero_copy_only=False).astype(bool) & np.isfinite(value)
    skipped = pc.equal(rows["status"], Status.SKIPPED.value).to_numpy(zero_copy_only=False).astype(bool)
    raw[axes] = np.where(ok, value, np.nan)
    outcome[axes] = np.where(ok, _OK, np.where(skipped, _SKIPPED, _FAILED))
    return raw, outcome


def _failed(outcome: NDArray[np.int8]) -> Flags:
    """[E, N, G, X, M] which values failed.

    Under a seed that somebody has a value for: all values that an entrant with a row of the metric on the item lacks.
    Where nobody has one under any seed and nobody skipped it: those whose row failed.
    """
    ok, bad = outcome == _OK, outcome == _FAILED
    applies = ok.any(axis=0)
    measured = (outcome != _NO_ROW).any(axis=2, keepdims=True)
    silent = ~(ok | (outcome == _SKIPPED)).any(axis=(0, 2))
    return np.asarray((applies & measured & ~ok) | (bad & silent[None, :, None]))


def _ways(column: pa.ChunkedArray, item: NDArray[np.int64], items: int) -> NDArray[np.int64]:
    """[N, W] number of each item's cluster in each way; the first by name where rows of an item differ."""
    names, cluster = codes(column)
    first = np.full(items, len(names), dtype=np.int64)
    np.minimum.at(first, item, cluster)
    return ways([names[place] for place in first.tolist()])


def _clusters_of(crossed: NDArray[np.int64]) -> dict[str, Any]:
    """The fields of a cube that are about clusters, from [N, W], renumbered without gaps."""
    columns = [np.unique(column, return_inverse=True)[1].reshape(-1).astype(np.int64) for column in crossed.T]
    renumbered = np.stack(columns, axis=1)
    return {"clusters": coarsest(renumbered), "crossed": renumbered if len(columns) > 1 else None}


def _mean_over_seeds(cells: Array) -> Array:
    present = ~np.isnan(cells)
    with np.errstate(invalid="ignore"):
        mean: Array = np.where(present, cells, 0.0).sum(axis=(2, 3)) / present.sum(axis=(2, 3))
    return mean
