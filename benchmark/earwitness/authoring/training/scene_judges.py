"""What the judges of scenes are trained on: one to three events and more, whole clips, halves, and clips over clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import ASTForAudioClassification

from earwitness.authoring.training.data import Clips
from earwitness.authoring.training.judges import CODED, fit_judges, through
from earwitness.authoring.training.workshop import Workshop
from earwitness.judges.ast import ASTJudge, small_ast
from earwitness.models.spectral_codec import SpectralCodec
from earwitness.worlds.events import Time
from earwitness.worlds.scenes import MadeScene
from earwitness.worlds.sounds import LABELS

STEPS = {"ast": 6000, "cnn": 3000, "passt": 3500}
STRIDE = 10
"""Mel bins and frames from patch to patch of the AST judge, as published: its patches of 16 overlap."""
HALVED = 0.4
"""Share of clips of which one half is silent."""
MIXED = 0.4
"""Share of clips that another is laid over."""
LEVELS = (-6.0, 6.0)
"""dB by which the clip that is laid over another is louder than it was."""


@dataclass(frozen=True)
class SceneSounds:
    """Rendered scenes as judges hear them in training."""

    clips: Clips[MadeScene]

    @cached_property
    def halves(self) -> NDArray[np.float32]:
        """Labels [2, n, C], 1 where a class sounds in the first half and in the second."""
        return np.stack([_present(self.clips.scenes, "early"), _present(self.clips.scenes, "late")])

    def batch(self, rng: np.random.Generator, size: int) -> tuple[Tensor, Tensor]:
        """Audio [size, S] and labels [size, C] of clips drawn at random: whole, halved, or mixed with others."""
        chosen = rng.integers(0, len(self.clips.audio), size)
        audio, labels = self.clips.audio[chosen].astype(np.float32), self.clips.labels[chosen].copy()
        middle = audio.shape[1] // 2
        halved, left = rng.random(size) < HALVED, rng.integers(0, 2, size)
        audio[halved & (left == 0), middle:] = 0
        audio[halved & (left == 1), :middle] = 0
        labels[halved] = self.halves[left[halved], chosen[halved]]
        mixed = rng.random(size) < MIXED
        level = 10 ** (rng.uniform(*LEVELS, (size, 1)) / 20) * mixed[:, None]
        laid_over = audio + level.astype(np.float32) * np.roll(audio, 1, axis=0)
        either = np.maximum(labels, np.roll(labels, 1, axis=0) * mixed[:, None])
        return torch.from_numpy(laid_over), torch.from_numpy(either.astype(np.float32))


def _present(scenes: Sequence[MadeScene], half: Time) -> NDArray[np.float32]:
    heard = [item.heard(half) for item in scenes]
    return np.array([[label in sounding for label in LABELS] for sounding in heard], dtype=np.float32)


def overlapping_ast(labels: tuple[str, ...]) -> ASTJudge:
    """An untrained AST judge, small, whose patches overlap."""
    plain = small_ast(labels)
    config = plain.model.config
    config.frequency_stride = config.time_stride = STRIDE
    return ASTJudge(ASTForAudioClassification(config), plain.extractor)


def fit_scene_judges(
    train_clips: Clips[MadeScene], codec: SpectralCodec, out: Path, work: Workshop
) -> dict[str, float]:
    """Train and write all judges of scenes; the seconds that each took."""
    coded = SceneSounds(through(codec, train_clips, CODED))
    return fit_judges(SceneSounds(train_clips), coded, out, work, STEPS, overlapping_ast)
