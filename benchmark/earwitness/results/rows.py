"""The row: one value of one metric for one item. Its schema, its Parquet parts, read and written here alone."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel

from earwitness.errors import EarwitnessError
from earwitness.results.documents import read_document
from earwitness.results.schema_version import schema_version, stamped
from earwitness.results.status import Status as Status
from earwitness.results.writing import moved_into_place

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

RECIPE = "run.json"
"""File of a run's folder from which its rows can be made again."""
INLINE = "none"
"""Isolation of rows that were made where explainer and scoring share a process."""

MADE_ELSEWHERE = "explanations"
"""Isolation of rows of explanations that were handed in: no code was run that there was anything to keep from."""
SELF_REPORTED = "self-reported"
"""Passes that were counted beside a submission's code, which can change any count."""
UNVERIFIED = "unverified"
"""Of explanations that were made elsewhere nobody here saw the cost: it stands as 0, and is none."""
UNKNOWN = ""
"""Hash of a metric in rows that were written before rows had one."""


class RowsCard(BaseModel):
    """Rows as a recipe names them."""

    number: int = 0
    fingerprint: str = ""


class _Named(BaseModel):
    """A task, or a submission, as a recipe names it."""

    id: str = ""
    hash: str = ""
    folder: str = ""
    card: dict[str, Any] = {}


class _Known(BaseModel):
    """Keys of a recipe that reading rows asks for; what wrote it may have left some out."""

    run: str = ""
    state: str = ""
    task: _Named = _Named()
    submission: _Named = _Named()
    rows: RowsCard | None = None


@dataclass(frozen=True, kw_only=True)
class Row:
    """One value of one metric for one item, one generation seed and one explainer seed."""

    submission: str
    submission_hash: str
    task: str
    task_version: int
    task_hash: str
    metric: str
    """Id of the metric in the task card, parameters included: `fid_f@top30`."""
    metric_hash: str = UNKNOWN
    """What was measured: the metric's code, its judge, and what they import; `UNKNOWN` in rows of before there was
    one."""
    item: str
    cluster: str
    """Items of one cluster are not independent (same prompt, same speaker); intervals resample clusters."""
    generation_seed: int
    explainer_seed: int
    value: float | None
    status: str
    reason: str
    """Empty where the status is ok."""
    seconds: float
    """CPU seconds of the explanation of the item (the box's own), the same on every row of the item."""
    forwards: int
    """Forward passes of the model spent on the explanation, in sequences."""
    backwards: int
    peak_bytes: int
    isolation: str
    run: str
    metering: str = SELF_REPORTED
    """Who counted the passes; seconds and memory are seen from outside where the isolation keeps anything out."""
    plausible_forwards: float | None = None
    """Forward passes that the seconds leave room for, by the pace of the trusted copy; none where it was not asked."""


NULLABLE = ("value", "plausible_forwards")
SCHEMA = pa.schema(
    [
        pa.field(
            f.name,
            {"str": pa.string(), "int": pa.int64(), "float": pa.float64(), "float | None": pa.float64()}[str(f.type)],
            nullable=f.name in NULLABLE,
        )
        for f in fields(Row)
    ]
)
KEY = ("task", "task_hash", "submission", "submission_hash", "metric", "item", "generation_seed", "explainer_seed")
HASHES = ("task_hash", "submission_hash", "metric_hash")
"""Columns that tell by which data and code a value was made."""
COSTS = ("seconds", "forwards", "backwards", "peak_bytes", "isolation", "run", "metering", "plausible_forwards")
"""Columns that a second, equal run need not repeat."""


def table(rows: Iterable[Row]) -> pa.Table:
    """A table of rows in the schema's order."""
    return pa.Table.from_pylist([asdict(row) for row in rows], schema=SCHEMA)


def read_recipe(folder: Path) -> dict[str, Any]:
    """The recipe of a run's folder, `run.json`; raises EarwitnessError where it cannot be read."""
    return read_document(folder / RECIPE, _Known, "recipe of a run", "delete the folder or run again")


def write_part(rows: Sequence[Row], path: Path) -> None:
    """Write rows as a Parquet part; raises EarwitnessError where it cannot be written."""
    write_table(table(rows), path)


def write_table(rows: pa.Table, path: Path) -> None:
    """Write a table of rows as a Parquet part that says its schema version, under a temporary name, and move it there.

    Raises EarwitnessError where the part cannot be written (a full disk, say); no half-written part is left behind.
    """
    with moved_into_place(path) as temporary:
        pq.write_table(stamped(rows), temporary, compression="zstd")


def read_parts(paths: Iterable[Path]) -> pa.Table:
    """All rows of the given Parquet parts, in the parts' order.

    Raises EarwitnessError on a foreign or broken file, NewerSchemaError on one that a newer earwitness wrote.
    """
    tables = [_part(path) for path in paths]
    return pa.concat_tables(tables) if tables else SCHEMA.empty_table()


def _part(path: Path) -> pa.Table:
    try:
        # A folder called a=b is no partition: its name must not become a column.
        part = pq.read_table(path, partitioning=None)
        # Names and texts that are not UTF-8 would be found out wherever they are first looked at.
        part.validate(full=True)
        part.column_names  # noqa: B018
    except (OSError, ValueError, pa.ArrowException) as error:
        raise EarwitnessError(f"{path} is no Parquet file of rows: {error}") from error
    schema_version(part.schema, path)
    return conformed(part, str(path))


def conformed(part: pa.Table, name: str) -> pa.Table:
    """The rows in the schema's columns and types, as a table that other programs wrote may not have them.

    Rows of before there was a `metric_hash` get `UNKNOWN`, those of before passes were timed know no plausible number;
    the index that pandas adds goes. Raises EarwitnessError, in
    one line, where a column is missing or foreign, or holds what no row may hold.
    """
    own = [column for column in part.column_names if not column.startswith("__index_level_")]
    part = part.select(own).replace_schema_metadata(None)
    for name, before, kind in (
        ("metric_hash", UNKNOWN, pa.string()),
        ("metering", SELF_REPORTED, pa.string()),
        ("plausible_forwards", None, pa.float64()),
    ):
        if name not in own:
            part = part.append_column(name, pa.array([before] * len(part), kind))
    missing = [column for column in SCHEMA.names if column not in part.column_names]
    foreign = [column for column in part.column_names if column not in SCHEMA.names]
    if missing or foreign:
        parts = [f"{what} {', '.join(some)}" for what, some in (("lacks", missing), ("has", foreign)) if some]
        raise EarwitnessError(f"{name} holds rows of another schema ({'; '.join(parts)}); score the run again")
    part = part.select(SCHEMA.names)
    empty = [field.name for field in SCHEMA if not field.nullable and part[field.name].null_count]
    if empty:
        raise EarwitnessError(f"{name} holds rows without {', '.join(empty)}; score the run again")
    try:
        return part.cast(SCHEMA)
    except pa.ArrowException as error:
        raise EarwitnessError(f"{name} holds rows of another schema ({error}); score the run again") from error


def with_texts(rows: pa.Table, column: str, texts: Sequence[str]) -> pa.Table:
    """The rows with other texts in a column."""
    index = rows.column_names.index(column)
    return rows.set_column(index, rows.schema.field(index), pa.array(texts, pa.string()))


def read_run(run: Path) -> pa.Table:
    """All rows of a run's folder, sorted by key; hidden files, such as macOS' `._x.parquet`, are no parts."""
    return ordered(read_parts(sorted((run / "rows").glob("[!.]*.parquet"))))


def ordered(rows: pa.Table) -> pa.Table:
    """The rows sorted by their key."""
    return rows.sort_by([(column, "ascending") for column in KEY])


def fingerprint(rows: pa.Table, sorted_by_key: bool = False) -> str:
    """SHA-256 of what two equal runs share: every column but the costs, sorted by key, values to the last bit.

    sorted_by_key says that rows are as `ordered` leaves them and need not be sorted again. The hash of the metric does
    not count in rows that have none, so that what older runs say of theirs holds.
    """
    old = not any(rows["metric_hash"].unique().to_pylist())
    shared = rows.drop_columns([*COSTS, *(["metric_hash"] if old else [])])
    sorted_rows = shared if sorted_by_key else ordered(shared)
    columns = [_encoded(name, sorted_rows[name].to_pylist()) for name in sorted(sorted_rows.column_names)]
    text = "".join("{" + ", ".join(record) + "}" for record in zip(*columns, strict=True))
    return hashlib.sha256(text.encode()).hexdigest()


def _encoded(name: str, values: list[Any]) -> list[str]:
    """Values of a column as members of JSON objects, numbers to the last bit; equal ones are encoded once."""
    key = f"{json.dumps(name)}: "
    if name == "value":
        return [key + ("null" if value is None else f'"{float(value).hex()}"') for value in values]
    known = {value: key + json.dumps(value) for value in set(values)}
    return [known[value] for value in values]
