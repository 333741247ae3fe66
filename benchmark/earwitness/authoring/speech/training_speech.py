"""Summaries of training speech, stored with a task; scoring reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from earwitness.scoring.files import write_arrays
from earwitness.scoring.speech.training import FILE, PATCH, TrainingSpeech, marginal_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from earwitness.task import Task

PATCHES = 2000


def summarise(
    training: Sequence[NDArray[np.float32]], held_out: Sequence[NDArray[np.float32]], seed: int = 0
) -> TrainingSpeech:
    """A summary of training spectrograms [T, M], its distances calibrated on held-out ones."""
    rng = np.random.default_rng(seed)
    starts = [(i, int(rng.integers(len(each) - PATCH + 1))) for i, each in enumerate(training) if len(each) >= PATCH]
    chosen = [starts[i] for i in rng.permutation(len(starts))[:PATCHES]]
    patches = np.stack([training[i][start : start + PATCH] for i, start in chosen])
    # Stored in half precision: distances must not depend on whether the summary was stored.
    patches = patches.astype(np.float16).astype(np.float32)
    summary = TrainingSpeech(marginal_of(training), patches)
    found = [summary.distances(each[None]) for each in held_out]
    return TrainingSpeech(summary.marginal, patches, float(np.mean([d for d in found if d is not None])))


def write_training(task: Task, summary: TrainingSpeech) -> None:
    """Store a summary with a task."""
    assert summary.patches is not None
    arrays: dict[str, NDArray[Any]] = {"marginal": summary.marginal, "patches": summary.patches.astype(np.float16)}
    write_arrays(task.folder / "truth" / FILE, arrays, {"typical": summary.typical})
