"""Rows of one variant of a task as arrays: items by generation seeds by entrants by metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from earwitness.results.rows import KEY, Status
from earwitness.stats.intervals import numbered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from earwitness.stats.intervals import Array

FLOOR = "random"
"""The submission whose values are the floor of every task."""
SEPARATOR = "\x1f"


@dataclass(frozen=True, order=True)
class Variant:
    """Rows that may meet in one rank: of one task, one identity (fresh items have their own), one explainer seed."""

    task: str
    task_hash: str
    seed: int


@dataclass(frozen=True)
class Measured:
    """Values of E entrants on N items by M metrics, failures at the floor."""

    items: list[str]
    clusters: NDArray[np.int64]
    """[N] number of each item's cluster."""
    entrants: list[tuple[str, str]]
    """E pairs of submission and its hash."""
    metrics: list[str]
    values: Array
    """[N, E, M] mean over generation seeds; NaN where no entrant has a value: the metric does not apply to the item."""
    failed: NDArray[np.bool_]
    """[N, E, M] whether a value is missing where another entrant has one; such a value is the floor's."""
    lost: NDArray[np.bool_]
    """[N, E] whether an item has a row that failed, was invalid or timed out."""
    absent: NDArray[np.bool_]
    """[N, E] whether an item has no row at all."""
    floor: int | None
    """The entrant that is the floor."""


def variants(rows: pa.Table) -> list[Variant]:
    """The variants that rows belong to."""
    keys = rows.group_by(["task", "task_hash", "explainer_seed"]).aggregate([]).to_pylist()
    return sorted(Variant(key["task"], key["task_hash"], key["explainer_seed"]) for key in keys)


def of_variant(rows: pa.Table, variant: Variant) -> pa.Table:
    """The rows of one variant, each key once.

    Runs over fewer items repeat keys of the whole run: the row of the run that holds most rows stays.
    """
    chosen = rows.filter(
        pc.and_(
            pc.and_(pc.equal(rows["task"], variant.task), pc.equal(rows["task_hash"], variant.task_hash)),
            pc.equal(rows["explainer_seed"], variant.seed),
        )
    )
    sizes = {entry["values"]: entry["counts"] for entry in pc.value_counts(chosen["run"]).to_pylist()}
    chosen = chosen.append_column("size", pa.array([-sizes[run] for run in chosen["run"].to_pylist()], pa.int64()))
    chosen = chosen.sort_by([("size", "ascending"), ("run", "ascending")]).append_column(
        "place", pa.array(np.arange(len(chosen)))
    )
    first = chosen.group_by(list(KEY), use_threads=False).aggregate([("place", "min")])
    return chosen.take(first["place_min"].sort()).drop_columns(["size", "place"])


def measure(rows: pa.Table, metrics: Sequence[str], floor_hash: str | None = None) -> Measured:
    """The rows of one variant as arrays, for the given metrics in their order.

    floor_hash tells which of several versions of the floor's submission is the floor; else the one with most rows is.
    """
    items, item = _codes(rows["item"])
    pairs = [
        f"{s}\x1f{h}" for s, h in zip(*(rows[c].to_pylist() for c in ("submission", "submission_hash")), strict=True)
    ]
    names, entrant = _codes(pa.chunked_array([pa.array(pairs, pa.string())]))
    seeds, seed = _codes(rows["generation_seed"])
    place = {name: number for number, name in enumerate(metrics)}
    metric = np.array([place.get(name, -1) for name in rows["metric"].to_pylist()])
    ok = np.array([status == Status.OK for status in rows["status"].to_pylist()], dtype=bool)
    skipped = np.array([status == Status.SKIPPED for status in rows["status"].to_pylist()], dtype=bool)
    value = rows["value"].to_numpy(zero_copy_only=False).astype(np.float64)

    raw = np.full((len(items), len(seeds), len(names), len(metrics)), np.nan)
    known = ok & (metric >= 0)
    raw[item[known], seed[known], entrant[known], metric[known]] = value[known]
    lost, absent = np.zeros((len(items), len(names)), bool), np.ones((len(items), len(names)), bool)
    bad = ~ok & ~skipped
    lost[item[bad], entrant[bad]] = True
    absent[item, entrant] = False

    entrants = [(name.split(SEPARATOR)[0], name.split(SEPARATOR)[1]) for name in names]
    floor = _floor(entrants, np.bincount(entrant, minlength=len(names)), floor_hash)
    values, failed = _filled(raw, floor)
    first = dict(zip(rows["item"].to_pylist(), rows["cluster"].to_pylist(), strict=True))
    clusters = numbered([first[name] for name in items])
    return Measured(items, clusters, entrants, list(metrics), values, failed, lost, absent, floor)


def _codes(column: pa.ChunkedArray) -> tuple[list[str], NDArray[np.int64]]:
    """Sorted distinct values of a column and each row's number among them."""
    names, codes = np.unique(np.asarray(column.to_pylist(), dtype=object), return_inverse=True)
    return names.tolist(), codes.astype(np.int64)


def _floor(entrants: list[tuple[str, str]], counts: NDArray[np.int64], floor_hash: str | None) -> int | None:
    found = [number for number, (submission, _) in enumerate(entrants) if submission == FLOOR]
    exact = [number for number in found if entrants[number][1] == floor_hash]
    return max(exact or found, key=lambda number: int(counts[number]), default=None)


def _filled(raw: Array, floor: int | None) -> tuple[Array, NDArray[np.bool_]]:
    """Values [N, E, M] and failures, from raw values [N, G, E, M] with NaN where there is none.

    A missing value is the floor's on the same item and seed; the floor's own is its mean over items. Without a floor
    it is NaN for that entrant, and the caller says so.
    """
    applies = np.asarray((~np.isnan(raw)).any(axis=2))
    missing = np.isnan(raw) & applies[:, :, None, :]
    full = raw.copy()
    if floor is not None:
        base = raw[:, :, floor, :]
        mean = _nanmean(base.reshape(-1, base.shape[-1]), axis=0)
        base = np.where(np.isnan(base), mean, base)
        full = np.where(missing, base[:, :, None, :], full)
    return _nanmean(full, axis=1), np.asarray(missing.any(axis=1))


def _nanmean(values: Array, axis: int) -> Array:
    """Mean without NaN; NaN where there is nothing else."""
    present = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        mean: Array = np.where(present, values, 0.0).sum(axis=axis) / present.sum(axis=axis)
    return mean
