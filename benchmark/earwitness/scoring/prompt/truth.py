"""Stored truth of a prompt task: the certificate, and exact Shapley values of the words of its items."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from earwitness.errors import EarwitnessError
from earwitness.scoring.certificates import certified, read_certificate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from earwitness.datasets import PromptTruth
    from earwitness.task import Task
    from earwitness.tracks.prompt import PromptItem

CAUSAL = ("class", "loudness", "pitch", "time", "negator")
"""Roles of words that act on the sound, where that is certified: without such a word the model makes another sound.
What a negator denies is none of them: without it nothing is denied, and the sound stays."""
INTERVAL = "interval"
"""No role: truth about some of a sound's frames, which holds where events sound when their words say."""
SHAPLEY = "shapley.parquet"
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
        return certified(self.certificate, role)

    def knows_when(self) -> bool:
        """Whether an intervention on the model has shown that events sound when their words say."""
        return self.certified(INTERVAL)

    def causal_roles(self) -> frozenset[str]:
        """Roles of words that act on the sound and are certified."""
        return frozenset(role for role in CAUSAL if self.certified(role))


def asked_words(data: PromptTruth, item: PromptItem, frame_rate: float) -> NDArray[np.bool_]:
    """Which words [W] act on what sounds in the frames that an item asks for; all, where it asks for all frames."""
    if item.frames is None:
        return np.ones(len(data.roles), dtype=bool)
    start, stop = (frame / frame_rate for frame in item.frames)
    return np.array([span is not None and span[0] < stop and start < span[1] for span in data.intervals])


def codes_digest(item: PromptItem) -> str:
    """Digest of an item's codes, 16 hex digits."""
    return hashlib.sha256(np.ascontiguousarray(item.codes, dtype=np.int64).tobytes()).hexdigest()[:16]


def read_truth(task: Task) -> Truth:
    """Stored truth of a task; raises EarwitnessError where a file of it cannot be read."""
    if task.truth is None:
        return Truth({}, {})
    shapley = task.truth / SHAPLEY
    try:
        words = _words(pq.read_table(shapley, schema=SHAPLEY_SCHEMA)) if shapley.is_file() else {}
    except (ValueError, OSError) as error:
        raise EarwitnessError(
            f"{task.truth}: stored truth cannot be read ({error}); write it again with `earwitness train {task.id}`"
        ) from error
    return Truth(read_certificate(task), words)


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
