"""What scoring knows of training speech: the values of each mel bin, and patches to measure distances from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from earwitness.errors import EarwitnessError
from earwitness.scoring.files import read_arrays

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from earwitness.task import Task

FILE = "training.safetensors"
QUANTILES = 101
PATCH = 8
"""Frames of a patch."""


@dataclass(frozen=True)
class TrainingSpeech:
    """A summary of training speech as the model's features have it."""

    marginal: NDArray[np.float32]
    """[P, M] values of each mel bin at even quantiles."""
    patches: NDArray[np.float32] | None = None
    """[n, PATCH, M]; None where no training speech is stored with the task."""
    typical: float = 0.0
    """Mean distance of held-out speech from the patches."""

    def distances(self, features: NDArray[np.float32]) -> NDArray[np.float64] | None:
        """Distance [Q] of spectrograms [Q, T, M] from training speech; None where none is stored.

        The spectrogram is cut into patches of `PATCH` frames, each is compared with its nearest training patch by the
        root of the mean squared difference, and the mean is taken.
        """
        if self.patches is None or features.shape[1] < PATCH:
            return None
        cut = cut_patches(features)
        bank = self.patches.reshape(len(self.patches), -1)
        flat = cut.reshape(-1, bank.shape[1])
        squared = (flat**2).sum(1)[:, None] + (bank**2).sum(1) - 2 * flat @ bank.T
        nearest = np.sqrt(np.maximum(squared.min(1), 0) / bank.shape[1])
        return np.asarray(nearest.reshape(cut.shape[:2]).mean(1), dtype=np.float64)


def cut_patches(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Patches [Q, T // PATCH, PATCH, M] side by side of spectrograms [Q, T, M]; what is left at the end is dropped."""
    rows, frames, bins = features.shape
    count = frames // PATCH
    return features[:, : count * PATCH].reshape(rows, count, PATCH, bins)


def marginal_of(spectrograms: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Quantiles [P, M] of the values of each mel bin in spectrograms [T, M]."""
    frames = np.concatenate(spectrograms)
    return np.asarray(np.quantile(frames, np.linspace(0, 1, QUANTILES), axis=0), dtype=np.float32)


def read_training(task: Task) -> TrainingSpeech | None:
    """The summary stored with a task; None where there is none. Raises EarwitnessError where it cannot be read."""
    if task.truth is None:
        return None
    path = task.truth / FILE
    found = read_arrays(path)
    if found is None:
        if path.is_file():
            raise EarwitnessError(f"{path}: cannot be read; write it again with `earwitness train {task.id}`")
        return None
    arrays, fields = found
    return TrainingSpeech(arrays["marginal"], arrays["patches"].astype(np.float32), float(fields["typical"]))
