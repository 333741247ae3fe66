"""Scenes of the made worlds, rendered once and kept on disk for training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track

from earwitness.atomic import atomic_write
from earwitness.worlds import scenes as scenes_world
from earwitness.worlds import soundscape
from earwitness.worlds.events import SAMPLES, Scene, render
from earwitness.worlds.scenes import MadeScene, Split
from earwitness.worlds.sounds import LABELS

Made = TypeVar("Made", bound=Scene)


@dataclass(frozen=True)
class Clips(Generic[Made]):
    """Rendered scenes."""

    scenes: Sequence[Made]
    audio: NDArray[np.floating[Any]]
    """[n, S]."""
    labels: NDArray[np.float32]
    """[n, C], 1 where a class sounds."""

    def batch(self, rng: np.random.Generator, size: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Audio [size, S] and labels [size, C] of clips drawn at random."""
        chosen = rng.integers(0, len(self.audio), size)
        return torch.from_numpy(self.audio[chosen].astype(np.float32)), torch.from_numpy(self.labels[chosen])


def codec_clips(count: int, cache: Path) -> Clips[Scene]:
    """The first `count` clips of the soundscape, rendered unless the cache holds them."""
    # Named as caches of before have it.
    path = cache / f"soundscape_{soundscape.VERSION}_train_{count}_order.npy"
    return _rendered([soundscape.scene(index) for index in range(count)], path)


def scene_clips(split: Split, count: int, cache: Path) -> Clips[MadeScene]:
    """The first `count` scenes of a split of the world of scenes, rendered unless the cache holds them."""
    path = cache / f"scenes_{scenes_world.VERSION}_{split}_{count}.npy"
    scenes = [scenes_world.scene(split, index) for index in range(count)]
    return _rendered(scenes, path)


def solo_clips(split: Split, count: int, cache: Path) -> Clips[MadeScene]:
    """One event each of the first `count` scenes of a split, rendered unless the cache holds them."""
    path = cache / f"scenes_{scenes_world.VERSION}_{split}_{count}_solo.npy"
    scenes = [scenes_world.scene(split, index) for index in range(count)]
    solos = [scenes_world.solo(made, index % len(made.events)) for index, made in enumerate(scenes)]
    return _rendered(solos, path)


def presence(scenes: Sequence[Scene]) -> NDArray[np.float32]:
    """Labels [n, C], 1 where a class sounds."""
    return np.array([[label in item.labels for label in LABELS] for item in scenes], dtype=np.float32)


def _rendered(scenes: Sequence[Made], path: Path) -> Clips[Made]:
    if not path.exists():
        with atomic_write(path) as temporary:
            audio = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.float16, shape=(len(scenes), SAMPLES))
            for index, item in enumerate(track(scenes, description="rendering", transient=True)):
                audio[index] = render(item).audio
            audio.flush()
    return Clips(scenes=scenes, audio=np.load(path, mmap_mode="r"), labels=presence(scenes))
