"""Where a fit stands, in the folder that a box gives a submission: an interrupted run goes on from there."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from earwitness.atomic import atomic_write

SCRATCH = "EARWITNESS_SCRATCH"
"""Environment variable that names the folder; where there is none, nothing is kept."""
EVERY = 30.0
"""Seconds between two writes."""


@dataclass(frozen=True)
class Kept:
    """What a trainer says of a fit that is to be kept: two that differ in anything else must not be taken for one."""

    about: str
    """What the fit depends on beside its frames, its plan, its seed and the first values of all arrays."""
    arrays: Sequence[np.ndarray] = ()
    """What steps change in place beside the parameters."""


class Checkpoint:
    """Arrays that a fit changes in place, and the step that they have reached."""

    def __init__(self, arrays: Sequence[np.ndarray], given: np.ndarray, about: str) -> None:
        """`given` and `about` are what the fit depends on beside the arrays' first values: other fits, other files.

        Nothing is kept where `about` is empty.
        """
        folder = os.environ.get(SCRATCH) if about else None
        self._path = Path(folder) / f"fit-{_digest([given, *arrays], about)}.safetensors" if folder else None
        self._arrays = {str(number): array for number, array in enumerate(arrays)}
        self._last = time.monotonic()

    def load(self) -> int:
        """Bring the arrays to where the fit was stopped and return its step; 0 where nothing readable is kept."""
        if self._path is None:
            return 0
        try:
            with safe_open(self._path, "numpy") as kept:
                found = {name: kept.get_tensor(name) for name in self._arrays}
                step = int(kept.metadata()["step"])
        except (OSError, SafetensorError):
            return 0
        for name, array in self._arrays.items():
            array[...] = found[name]
        return step

    def due(self) -> bool:
        """Whether the last write was long enough ago."""
        return self._path is not None and time.monotonic() - self._last >= EVERY

    def save(self, step: int) -> None:
        """Keep the arrays; a folder that cannot be written to keeps nothing, and the fit goes on."""
        self._last = time.monotonic()
        if self._path is None:
            return
        with suppress(OSError, SafetensorError), atomic_write(self._path) as temporary:
            save_file(self._arrays, temporary, metadata={"step": str(step)})


def _digest(arrays: Sequence[np.ndarray], about: str) -> str:
    found = hashlib.sha256(about.encode())
    for array in arrays:
        found.update(f"{array.dtype}{array.shape}".encode())
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()[:32]
