"""What rows must be before anything is computed from them: keys once, known statuses, values that can be measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from earwitness import metrics as declared
from earwitness.errors import EarwitnessError
from earwitness.results.rows import KEY, Status, fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROUNDING = 1e-6
"""Share of a range's width, at least 1, by which a value may lie outside: sums of single precision do."""
LARGEST = float(np.finfo(np.float32).max)
"""No metric of single precision measures more, whatever its range."""
COUNTS = ("forwards", "backwards", "peak_bytes")
ONE_OF_A_RUN = {"task": ("task", "id"), "submission": ("submission", "id")}
"""Columns that have one value in a run, with the place of that value in its recipe."""


def refuse_unbelievable(rows: pa.Table, name: str) -> None:
    """Raise EarwitnessError, in one line that names the first of them, where a row cannot be what a run wrote."""
    for find in (_doubled, _of_unknown_status, _without_value, _outside, _of_impossible_cost):
        wrong, what = find(rows)
        places = np.flatnonzero(wrong)
        if len(places):
            row = rows.slice(int(places[0]), 1).to_pylist()[0]
            more = f" (and {len(places) - 1} more rows)" if len(places) > 1 else ""
            raise EarwitnessError(
                f"{name} holds rows that are not believed: {row['metric']} of item {row['item']} {what(row)}{more}; "
                "make them again with `earwitness score RUN`, a baseline's with `earwitness baseline update RUN`"
            )


def refuse_other_rows(rows: pa.Table, recipe: Mapping[str, Any], name: str, found: str | None = None) -> None:
    """Raise EarwitnessError where rows are not those that a run's recipe names: of its task and submission, unchanged.

    found is the rows' fingerprint where it is known. A recipe of a run that is not done names no fingerprint.
    """
    for column, (part, key) in ONE_OF_A_RUN.items():
        values = sorted(pc.unique(rows[column]).to_pylist())
        entry = recipe.get(part)
        named = entry.get(key) if isinstance(entry, dict) else None
        if len(values) > 1 or (named is not None and values and values != [named]):
            raise EarwitnessError(
                f"{name} holds rows of the {column} {', '.join(values)}"
                + (f" where its recipe names {named}" if named is not None else ": a run has one")
                + "; score the run again"
            )
    entry = recipe.get("rows")
    claimed = entry.get("fingerprint") if isinstance(entry, dict) else None
    if recipe.get("state") == "done" and claimed != (found or fingerprint(rows)):
        raise EarwitnessError(
            f"{name} holds other rows than its recipe names (their fingerprints differ); score the run again"
        )


Found = tuple[Any, "Callable[[dict[str, Any]], str]"]


def _doubled(rows: pa.Table) -> Found:
    index = pa.array(np.arange(len(rows)))
    grouped = rows.select(KEY).append_column("place", index).group_by(list(KEY)).aggregate([("place", "min")])
    wrong = np.ones(len(rows), dtype=bool)
    wrong[grouped["place_min"].to_numpy()] = False
    return wrong, lambda _: "is there more than once"


def _of_unknown_status(rows: pa.Table) -> Found:
    known = pc.is_in(rows["status"], value_set=pa.array([status.value for status in Status]))
    return ~_flags(known), lambda row: f"has the unknown status {row['status']!r}"


def _without_value(rows: pa.Table) -> Found:
    """`ok` is said of finite numbers alone."""
    ok, value = _flags(pc.equal(rows["status"], Status.OK.value)), _values(rows)
    return ok & ~np.isfinite(value), lambda row: f"is ok and has the value {row['value']}"


def _outside(rows: pa.Table) -> Found:
    ok, value = _flags(pc.equal(rows["status"], Status.OK.value)), _values(rows)
    wrong = ok & (np.abs(np.where(ok, value, 0.0)) > LARGEST)
    known = declared.all_metrics()
    for metric in pc.unique(rows["metric"]).to_pylist():
        declaration = known.get(declared.name_of(metric))
        if declaration is not None:
            low, high = declaration.range
            width = high - low
            slack = ROUNDING * (max(width, 1.0) if np.isfinite(width) else 1.0)
            own = ok & _flags(pc.equal(rows["metric"], metric))
            wrong |= own & ((value < low - slack) | (value > high + slack))
    return wrong, lambda row: f"has the value {row['value']:.6g}, which the metric cannot have"


def _of_impossible_cost(rows: pa.Table) -> Found:
    seconds = rows["seconds"].to_numpy()
    wrong = ~(np.isfinite(seconds) & (seconds >= 0))
    for column in COUNTS:
        wrong |= rows[column].to_numpy() < 0
    return wrong, lambda row: "costs " + ", ".join(f"{row[column]} {column}" for column in ("seconds", *COUNTS))


def _flags(column: Any) -> Any:
    return column.to_numpy(zero_copy_only=False).astype(bool)


def _values(rows: pa.Table) -> Any:
    return rows["value"].to_numpy(zero_copy_only=False).astype(np.float64)
