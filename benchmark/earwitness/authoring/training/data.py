"""Scenes of the soundscape world, rendered once and kept on disk for training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track

from earwitness.atomic import atomic_write
from earwitness.worlds.sounds import LABELS
from earwitness.worlds.soundscape import SAMPLES, VERSION, Scene, Split, render, scene


@dataclass(frozen=True)
class Clips:
    """Rendered scenes."""

    scenes: Sequence[Scene]
    audio: NDArray[np.float16]
    """[n, S]."""
    labels: NDArray[np.float32]
    """[n, C], 1 where a class sounds."""

    def batch(self, rng: np.random.Generator, size: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Audio [size, S] and labels [size, C] of clips drawn at random."""
        chosen = rng.integers(0, len(self.audio), size)
        return torch.from_numpy(self.audio[chosen].astype(np.float32)), torch.from_numpy(self.labels[chosen])


def clips(split: Split, count: int, cache: Path, order: bool = False) -> Clips:
    """The first `count` scenes of a split, rendered unless the cache holds them."""
    path = cache / f"soundscape_{VERSION}_{split}_{count}{'_order' if order else ''}.npy"
    scenes = [scene(split, index, order=order) for index in range(count)]
    if not path.exists():
        _render(scenes, path)
    return Clips(scenes=scenes, audio=np.load(path, mmap_mode="r"), labels=presence(scenes))


def presence(scenes: Sequence[Scene]) -> NDArray[np.float32]:
    """Labels [n, C], 1 where a class sounds."""
    return np.array([[label in item.labels for label in LABELS] for item in scenes], dtype=np.float32)


def _render(scenes: Sequence[Scene], path: Path) -> None:
    with atomic_write(path) as temporary:
        audio = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.float16, shape=(len(scenes), SAMPLES))
        for index, item in enumerate(track(scenes, description="rendering", transient=True)):
            audio[index] = render(item).audio
        audio.flush()
