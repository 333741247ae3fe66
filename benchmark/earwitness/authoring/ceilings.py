"""Ceilings: the best and the worst of each metric on each item, by what search chose, stored with a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from earwitness.errors import EarwitnessError, short
from earwitness.results.writing import moved_into_place
from earwitness.scoring.certificates import folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from earwitness.task import Task

CEILING = "ceiling.parquet"
SCHEMA = pa.schema(
    [
        pa.field("kind", pa.string()),
        pa.field("metric", pa.string()),
        pa.field("item", pa.string()),
        pa.field("generation_seed", pa.int64()),
        pa.field("value", pa.float64()),
        pa.field("choice", pa.string()),
    ]
)
"""`choice` names the explanation that has the value, as `authoring.<track>.chosen` reads it; null in files of before
it was kept."""
BEST, WORST, TRUTH = "ceiling", "anti", "truth"
"""Kinds of rows: the ends that search finds, and what the known truth itself scores as an explanation."""


def row(kind: str, metric: str, item: str, seed: int, value: float, choice: str) -> dict[str, Any]:
    """A row of `SCHEMA`."""
    return {
        "kind": kind,
        "metric": metric,
        "item": item,
        "generation_seed": seed,
        "value": value,
        "choice": choice,
    }


def read(task: Task) -> list[dict[str, Any]]:
    """Rows of `SCHEMA` that are stored with a task; raises EarwitnessError where they cannot be read."""
    path = folder(task) / CEILING
    try:
        rows: list[dict[str, Any]] = pq.read_table(path, schema=SCHEMA).to_pylist() if path.is_file() else []
    except (ValueError, OSError) as error:
        raise EarwitnessError(f"{path} cannot be read ({short(str(error))}); restore it, or delete it") from error
    return rows


def write(task: Task, rows: Iterable[Mapping[str, Any]]) -> None:
    """Store rows of `SCHEMA` with a task."""
    write_table(folder(task) / CEILING, rows, SCHEMA)


def write_table(path: Path, rows: Iterable[Mapping[str, Any]], schema: pa.Schema) -> None:
    """Store a table of truth as Parquet."""
    with moved_into_place(path) as temporary:
        pq.write_table(pa.Table.from_pylist([dict(row) for row in rows], schema=schema), temporary, compression="zstd")
