"""Two runs on one task, paired item by item."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from earwitness import metrics
from earwitness.errors import EarwitnessError, NotComparableError
from earwitness.results import rows
from earwitness.results.rows import Status
from earwitness.stats.intervals import numbered
from earwitness.stats.paired import paired_difference

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

SAME = ("task", "task_hash", "explainer_seed")
"""Columns that two comparable runs share."""


@dataclass(frozen=True)
class Comparison:
    """One metric of two runs, on the items for which both have values."""

    metric: str
    direction: str
    items: int
    first: float
    second: float
    difference: float
    """first - second."""
    low: float
    high: float
    verdict: str


def compare(first: Path, second: Path) -> list[Comparison]:
    """Each metric's paired difference with its interval by cluster bootstrap.

    Raises NotComparableError where the runs are not of one task, set of items and seed.
    """
    tables = [_rows(folder) for folder in (first, second)]
    for column in SAME:
        left, right = (set(table[column].to_pylist()) for table in tables)
        if left != right:
            raise NotComparableError(f"{first} and {second} differ in {column}: {sorted(left)} and {sorted(right)}")
    one, two = (_values(table) for table in tables)
    found = [_compared(metric, one[metric], two[metric]) for metric in one if metric in two]
    return [comparison for comparison in found if comparison is not None]


def _rows(folder: Path) -> pa.Table:
    table = rows.read_run(folder)
    if not len(table):
        raise EarwitnessError(f"{folder} is no run with rows")
    return table


def _values(table: pa.Table) -> dict[str, dict[tuple[str, int], tuple[float, str]]]:
    """Value and cluster by item and generation seed, by metric."""
    found: dict[str, dict[tuple[str, int], tuple[float, str]]] = {}
    for row in table.to_pylist():
        if row["status"] == Status.OK:
            key = (row["item"], row["generation_seed"])
            found.setdefault(row["metric"], {})[key] = (row["value"], row["cluster"])
    return found


def _compared(
    metric: str, one: dict[tuple[str, int], tuple[float, str]], two: dict[tuple[str, int], tuple[float, str]]
) -> Comparison | None:
    shared = sorted(one.keys() & two.keys())
    if not shared:
        return None
    left, right = (np.array([values[key][0] for key in shared]) for values in (one, two))
    interval = paired_difference(left, right, numbered([one[key][1] for key in shared]))
    direction = metrics.get(metric.split("@")[0]).direction
    low, high = float(interval.low), float(interval.high)
    return Comparison(
        metric=metric,
        direction=direction,
        items=len({item for item, _ in shared}),
        first=float(left.mean()),
        second=float(right.mean()),
        difference=float(interval.value),
        low=low,
        high=high,
        verdict=_verdict(direction, low, high),
    )


def _verdict(direction: str, low: float, high: float) -> str:
    if direction == "none":
        return ""
    sign = 1 if direction == "higher" else -1
    if min(sign * low, sign * high) > 0:
        return "A is better"
    return "B is better" if max(sign * low, sign * high) < 0 else "cannot be told apart"
