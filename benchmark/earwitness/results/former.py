"""Former identities: hashes in rows and recipes that were written when identities were made otherwise.

`former.toml` lists hashes whose rows were compared with those of today, to the last bit, and what they are now.
"""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earwitness.results.rows import UNKNOWN, with_texts
from earwitness.results.task_hashes import parted

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

TABLE = Path(__file__).with_name("former.toml")


@dataclass(frozen=True)
class FormerTask:
    """What a former hash of a task stands for."""

    track: str
    data_hash: str
    hash: str
    metrics: Mapping[str, str]
    """Identity of what each metric measures, by its id."""


def task(hash: str) -> FormerTask | None:
    """What a former hash of a task stands for; None where it is none, or no row of it was compared."""
    return _tasks().get(hash)


def submission(hash: str, track: str) -> str | None:
    """Identity of the submission of a former hash on a track; None where it is none."""
    found: str | None = _table().get("submissions", {}).get(hash, {}).get(track)
    return found


def translated(rows: pa.Table) -> pa.Table:
    """The rows under today's hashes of tasks, submissions and metrics; those that are not listed stay as they are."""
    named = {parted(hash).base for hash in rows["task_hash"].unique().to_pylist()}
    if UNKNOWN not in rows["metric_hash"].unique().to_pylist() or not any(task(hash) for hash in named):
        return rows
    columns = ("task_hash", "submission_hash", "metric", "metric_hash")
    keys = list(zip(*(rows[name].to_pylist() for name in columns), strict=True))
    now = {key: _now(*key) for key in dict.fromkeys(keys)}
    for place, name in enumerate(("task_hash", "submission_hash", "metric_hash")):
        rows = with_texts(rows, name, [now[key][place] for key in keys])
    return rows


def _now(task_hash: str, submission_hash: str, metric: str, metric_hash: str) -> tuple[str, str, str]:
    """Hashes of task, submission and metric of a row as they are today."""
    named = parted(task_hash)
    known = task(named.base)
    if known is None or metric_hash != UNKNOWN:
        return task_hash, submission_hash, metric_hash
    own = submission(submission_hash, known.track) or submission_hash
    return named._replace(base=known.hash).text, own, known.metrics.get(metric, UNKNOWN)


def folder_hash(folder: Path) -> str:
    """Hash of a submission's folder as it was made once: over names and bytes of its files, 16 hex digits."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        inner = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in inner.parts)
        if path.is_file() and path.suffix not in {".pyc", ".md"} and not hidden:
            digest.update(inner.as_posix().encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(TABLE.read_text(encoding="utf-8"))


@cache
def _tasks() -> dict[str, FormerTask]:
    return {hash: FormerTask(**entry) for hash, entry in _table().get("tasks", {}).items()}
