"""The schema version of a Parquet file of rows, kept in its metadata with the earwitness that wrote it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from earwitness import version
from earwitness.errors import EarwitnessError, shortened

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

VERSION = 3
"""Of files that are written now. Version 1 says none; before `metric_hash` was a column, it was lacking, too. Version 2
had no `metering` and no `plausible_forwards`."""
SCHEMA, WRITER = b"earwitness.schema", b"earwitness.version"
"""Keys of the metadata: the schema version, and the version of earwitness that wrote the file."""


class NewerSchemaError(EarwitnessError):
    """Rows were written by a newer earwitness, in a schema that this one cannot read."""


def stamped(rows: pa.Table) -> pa.Table:
    """The rows with the schema version in their metadata, beside what it holds."""
    ours = {SCHEMA: str(VERSION).encode(), WRITER: version.VERSION.encode()}
    return rows.replace_schema_metadata({**(rows.schema.metadata or {}), **ours})


def schema_version(schema: pa.Schema, path: Path) -> int:
    """Version that a file's schema says, 1 where it says none.

    Raises NewerSchemaError where it is above `VERSION`, EarwitnessError where it is no whole number from 1.
    """
    metadata = schema.metadata or {}
    said = metadata.get(SCHEMA, b"1").decode("utf-8", "backslashreplace")
    if not (said.isascii() and said.isdigit() and len(said) < 10 and int(said)):
        raise EarwitnessError(
            f"{path} says that its rows are of schema {shortened(said)!r}, which is no version; score the run again"
        )
    if int(said) > VERSION:
        writer = shortened(metadata.get(WRITER, b"").decode("utf-8", "backslashreplace"))
        wanted = f"earwitness {writer}, which wrote it, or a newer one" if writer else "a newer earwitness"
        raise NewerSchemaError(
            f"{path} holds rows of schema {said}, and earwitness {version.VERSION} reads up to {VERSION}; "
            f"install {wanted}"
        )
    return int(said)
