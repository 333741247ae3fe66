"""The baseline: a reviewed Parquet file of rows that later runs are compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import pyarrow as pa

    from earwitness.task import Task


@dataclass(frozen=True)
class Change:
    """What an update does to the rows of one submission on one task."""

    task: str
    submission: str
    kind: str
    """`added`, `changed`, `unchanged`."""
    lines: tuple[str, ...]
    """What changed, for people: versions, items, means of metrics."""


@dataclass(frozen=True)
class Changes:
    """What an update of a baseline changed."""

    path: Path
    changes: tuple[Change, ...]
    kept: int
    """Rows of other submissions and tasks that stay as they were."""
    rows: int
    """Rows that the file holds now."""


def read_rows(paths: Sequence[Path]) -> pa.Table:
    """The rows of runs, each path a run's folder or a folder of runs, with the fingerprints of their tasks."""
    raise NotImplementedError


def describe(rows: pa.Table, tasks: Iterable[Task]) -> pa.Table:
    """The rows with the fingerprints of their tasks in the schema's metadata, so that a refusal can say what differs."""
    raise NotImplementedError


def read_baseline(path: Path) -> pa.Table:
    """The rows of a baseline; raises EarwitnessError where it is missing, empty, foreign or has duplicate rows."""
    raise NotImplementedError


def update_baseline(path: Path, rows: pa.Table) -> Changes:
    """Replace the rows of the given tasks and submissions in a baseline and say what changed; writes the file."""
    raise NotImplementedError
