"""The board's file: a DuckDB database named by its content, and the pointer that says which one is current."""

from __future__ import annotations

import hashlib
import json
import os
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
from pydantic import BaseModel

from earwitness.atomic import atomic_write
from earwitness.errors import EarwitnessError
from earwitness.results.documents import read_document

if TYPE_CHECKING:
    from collections.abc import Mapping

POINTER = "current.json"
GRACE = 3600.0
"""Seconds that a database is kept which nothing points to: another build may be about to, a page may read it."""


class _Pointer(BaseModel):
    board: str


def write(tables: Mapping[str, pa.Table], board: Path) -> Path:
    """Write tables as a new database and point to it; a page that reads the old one goes on undisturbed.

    A database that holds just these tables already stays as it is, since DuckDB writes the same content otherwise each
    time, and who keeps a board's history would keep it for nothing.

    Raises EarwitnessError where the folder cannot be written.
    """
    name = f"board-{content_hash(tables)}.duckdb"
    try:
        before = _pointed(board)
        if not _kept(tables, board / name):
            with atomic_write(board / name) as temporary, closing(duckdb.connect(str(temporary))) as connection:
                _fill(connection, tables)
        _point(board, name)
    except (OSError, ValueError, duckdb.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise EarwitnessError(f"cannot write the board to {board}: {reason}; name another folder with --out") from error
    _drop_stale(board, {name, before})
    return board / name


def content_hash(tables: Mapping[str, pa.Table]) -> str:
    """16 hex digits over names, schemas and values of all tables."""
    digest = hashlib.sha256()
    for name, table in tables.items():
        digest.update(name.encode())
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table.combine_chunks())
        digest.update(sink.getvalue())
    return digest.hexdigest()[:16]


def current(path: Path) -> Path:
    """The database of a board's folder, or the file itself; raises EarwitnessError where there is none."""
    if os.path.isfile(path):
        return path
    name = _pointed(path)
    # A pointer that somebody else wrote leads to no file outside the board's folder.
    if name is None or Path(name).name != name or not os.path.isfile(path / name):
        raise EarwitnessError(f"no board in {path}; build one with `earwitness board`")
    return path / name


def connect(path: Path) -> duckdb.DuckDBPyConnection:
    """A read-only connection that reaches nothing else; raises EarwitnessError where there is no board."""
    file = current(path)
    try:
        return duckdb.connect(
            str(file), read_only=True, config={"enable_external_access": "false", "lock_configuration": "true"}
        )
    except duckdb.Error as error:
        raise EarwitnessError(f"{file} is no board: {error}; build one with `earwitness board`") from error


def records(connection: duckdb.DuckDBPyConnection, query: str, *parameters: Any) -> list[dict[str, Any]]:
    """Rows of a query as dictionaries."""
    cursor = connection.cursor().execute(query, list(parameters))
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _fill(connection: duckdb.DuckDBPyConnection, tables: Mapping[str, pa.Table]) -> None:
    for table, content in tables.items():
        connection.register("content", content)
        connection.execute(f'CREATE TABLE "{table}" AS SELECT * FROM content')
        connection.unregister("content")


def _kept(tables: Mapping[str, pa.Table], database: Path) -> bool:
    """Whether a database holds just these tables; its name is no evidence, since anyone may have written it."""
    try:
        os.utime(database)
        with closing(connect(database)) as there, closing(there.cursor()) as cursor:
            names = cursor.execute(
                "SELECT table_name FROM duckdb_tables() UNION SELECT NULL FROM duckdb_views() WHERE NOT internal"
            )
            return {name for (name,) in names.fetchall()} == set(tables) and all(
                _holds(cursor, *each) for each in tables.items()
            )
    except (OSError, EarwitnessError, duckdb.Error):
        return False


def _holds(connection: duckdb.DuckDBPyConnection, table: str, content: pa.Table) -> bool:
    connection.register("content", content)
    columns = [connection.execute(f'DESCRIBE SELECT * FROM "{each}"').fetchall() for each in (table, "content")]
    if columns[0] != columns[1]:
        return False
    query = f'SELECT count(*) FROM "{table}" one POSITIONAL JOIN content other WHERE one IS DISTINCT FROM other'
    different = connection.execute(query).fetchall()
    connection.unregister("content")
    return different == [(0,)]


def _drop_stale(board: Path, kept: set[str | None]) -> None:
    """Delete databases, whole and half-written, that are older than any build that may still run."""
    for stale in (*board.glob("board-*.duckdb"), *board.glob(".board-*.tmp")):
        with suppress(OSError):
            if stale.name not in {*kept, _pointed(board)} and time.time() - stale.stat().st_mtime > GRACE:
                stale.unlink()


def _pointed(board: Path) -> str | None:
    try:
        name = read_document(board / POINTER, _Pointer, "pointer to a board", "build the board again")["board"]
    except EarwitnessError:
        return None
    return str(name)


def _point(board: Path, name: str) -> None:
    with atomic_write(board / POINTER) as temporary:
        temporary.write_text(json.dumps({"board": name}) + "\n", encoding="utf-8")
