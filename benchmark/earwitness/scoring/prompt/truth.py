"""Stored truth of a prompt task: the certificate, and exact Shapley values of the words of its items."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from earwitness.errors import EarwitnessError
from earwitness.scoring.files import moved_into_place

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from earwitness.task import Task
    from earwitness.tracks.prompt import PromptItem

CERTIFICATE, SHAPLEY, CEILING = "certificate.json", "shapley.parquet", "ceiling.parquet"
SHAPLEY_SCHEMA = pa.schema(
    [
        pa.field("item", pa.string()),
        pa.field("codes", pa.string()),
        pa.field("word", pa.int64()),
        pa.field("text", pa.string()),
        pa.field("shapley", pa.float64()),
        pa.field("cost", pa.float64()),
        pa.field("largest", pa.float64()),
        pa.field("null", pa.bool_()),
    ]
)
"""`codes` tells the sound that the values hold for. In nats: `shapley`; `cost`, lost from the whole prompt when the
word is removed; `largest`, the largest absolute change that the word makes to any coalition. `null` as certified."""


@dataclass(frozen=True)
class WordTruth:
    """Model truth of the words of one item."""

    codes: str
    """Digest of the codes of the sound that the values hold for."""
    shapley: NDArray[np.float64]
    """[W] exact Shapley values of the log-likelihood of the original's codes, in nats."""
    null: NDArray[np.bool_]
    """[W] True where a word is certified to have no influence on this sound."""


@dataclass(frozen=True)
class Truth:
    """What is stored with a task; empty where nothing was stored yet."""

    certificate: Mapping[str, Any]
    words: Mapping[str, WordTruth]
    """By item id."""

    def certified(self, role: str) -> bool:
        """Whether an intervention on the model has shown that words of this role do what the data say."""
        return bool(self.certificate.get("roles", {}).get(role, {}).get("certified", False))

    def causal_roles(self) -> frozenset[str]:
        """Roles, fillers apart, that are certified."""
        return frozenset(role for role in ("class", "loudness", "order") if self.certified(role))


def codes_digest(item: PromptItem) -> str:
    """Digest of an item's codes, 16 hex digits."""
    return hashlib.sha256(np.ascontiguousarray(item.codes, dtype=np.int64).tobytes()).hexdigest()[:16]


def folder(task: Task) -> Path:
    """Where a task's truth is stored."""
    return task.folder / "truth"


def read_truth(task: Task) -> Truth:
    """Stored truth of a task; raises EarwitnessError where a file of it cannot be read."""
    certificate, shapley = folder(task) / CERTIFICATE, folder(task) / SHAPLEY
    try:
        return Truth(
            json.loads(certificate.read_text(encoding="utf-8")) if certificate.is_file() else {},
            _words(pq.read_table(shapley, schema=SHAPLEY_SCHEMA)) if shapley.is_file() else {},
        )
    except (ValueError, OSError) as error:
        raise EarwitnessError(
            f"{folder(task)}: stored truth cannot be read ({error}); write it again with `earwitness train {task.id}`"
        ) from error


def write_certificate(task: Task, certificate: Mapping[str, Any]) -> None:
    """Store a certificate."""
    with moved_into_place(folder(task) / CERTIFICATE) as path:
        path.write_text(json.dumps(certificate, indent=2) + "\n", encoding="utf-8")


def write_table(path: Path, rows: Iterable[Mapping[str, Any]], schema: pa.Schema) -> None:
    """Store a table of truth as Parquet."""
    with moved_into_place(path) as temporary:
        pq.write_table(pa.Table.from_pylist([dict(row) for row in rows], schema=schema), temporary, compression="zstd")


def _words(table: pa.Table) -> dict[str, WordTruth]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in table.to_pylist():
        found.setdefault(row["item"], []).append(row)
    truths = {}
    for item, rows in found.items():
        rows.sort(key=lambda row: int(row["word"]))
        truths[item] = WordTruth(
            rows[0]["codes"],
            np.array([row["shapley"] for row in rows], dtype=np.float64),
            np.array([row["null"] for row in rows], dtype=bool),
        )
    return truths
