"""Clips of the stems world, rendered once and kept on disk for training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor

from earwitness.atomic import atomic_write
from earwitness.models.mel_vocoder import MelShape, log_mel
from earwitness.worlds.stems import NAMES, SAMPLES, VERSION, Clip, Split, clip, render
from earwitness.worlds.synthesiser import SAMPLE_RATE

SHAPE = MelShape(sample_rate=SAMPLE_RATE, n_fft=2048, hop=512, bins=64)
FRAMES = SAMPLES // SHAPE.hop


@dataclass(frozen=True)
class StemClips:
    """Rendered clips."""

    made: Sequence[Clip]
    audio: NDArray[np.float16]
    """[n, S]."""
    mels: NDArray[np.float16]
    """[n, T, M] log-mel spectrograms."""
    labels: NDArray[np.float32]
    """[n, C], 1 where an instrument plays."""

    def batch(self, rng: np.random.Generator, size: int) -> tuple[Tensor, Tensor]:
        """Audio [size, S] and labels [size, C] of clips drawn at random."""
        chosen = rng.integers(0, len(self.audio), size)
        return torch.from_numpy(self.audio[chosen].astype(np.float32)), torch.from_numpy(self.labels[chosen])

    def mel_batch(self, rng: np.random.Generator, size: int) -> Tensor:
        """Log-mel spectrograms [size, 1, T, M] of clips drawn at random."""
        chosen = rng.integers(0, len(self.mels), size)
        return torch.from_numpy(self.mels[chosen].astype(np.float32))[:, None]


def stem_clips(split: Split, count: int, cache: Path) -> StemClips:
    """The first `count` clips of a split, rendered unless the cache holds them."""
    made = [clip(split, index) for index in range(count)]
    paths = [cache / f"stems_{VERSION}_{split}_{count}_{part}.npy" for part in ("audio", "mels")]
    if not all(path.exists() for path in paths):
        _render(made, *paths)
    audio, mels = np.load(paths[0], mmap_mode="r"), np.load(paths[1])
    return StemClips(made=made, audio=audio, mels=mels, labels=presence(made))


def presence(made: Sequence[Clip]) -> NDArray[np.float32]:
    """Labels [n, C], 1 where an instrument plays."""
    return np.array([[name in item.instruments for name in NAMES] for item in made], dtype=np.float32)


def _render(made: Sequence[Clip], audio_path: Path, mels_path: Path) -> None:
    shape = (len(made), FRAMES, SHAPE.bins)
    with atomic_write(audio_path) as audio_file, atomic_write(mels_path) as mels_file:
        audio = np.lib.format.open_memmap(audio_file, mode="w+", dtype=np.float16, shape=(len(made), SAMPLES))
        mels = np.lib.format.open_memmap(mels_file, mode="w+", dtype=np.float16, shape=shape)
        for index, item in enumerate(track(made, description="rendering", transient=True)):
            wave = render(item).audio
            audio[index] = wave
            mels[index] = log_mel(torch.from_numpy(wave)[None], SHAPE)[0].numpy()
        audio.flush()
        mels.flush()
