"""What the stems world's trained models reach: the floors that its task's models must pass, on held-out clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from earwitness.judges import Judge, cnn
from earwitness.models import audioldm2
from earwitness.models.audioldm2 import AudioLDM2Model
from earwitness.tracks.band import Start
from earwitness.worlds.stems import Clip, Split, clip, render

BATCH = 20
STEPS, GUIDANCE = 12, 2.5
"""Of the denoiser, as the task has them."""


@dataclass(frozen=True)
class Band:
    """A diffusion model, and the judge that listens to it."""

    model: AudioLDM2Model
    judge: Judge

    @classmethod
    def from_folder(
        cls, folder: Path, steps: int = STEPS, guidance: float = GUIDANCE, beside: Path | None = None
    ) -> Band:
        """Model and judge of a task's folder; the judge of the folder `beside` where there is one."""
        model = audioldm2.from_pretrained(str(folder / "model"), steps=steps, guidance=guidance)
        return cls(model, cnn.load((beside or folder) / "judges" / "cnn"))

    def heard(self, audio: Tensor) -> NDArray[np.bool_]:
        """[n, C]: whether the judge hears each instrument in audio [n, S]."""
        presence = torch.cat([self.judge.presence(part) for part in torch.split(audio, BATCH)])
        return np.asarray((presence > 0.5).numpy(), dtype=bool)

    def play(self, prompts: Sequence[str], seed: int = 0, start: Start | None = None) -> tuple[Tensor, Tensor]:
        """Audio [n, S] and mel [n, M, T] of prompts, from noise or each from its row of a start; seeds count up."""
        audio, mels = [], []
        with torch.inference_mode():
            for first in range(0, len(prompts), BATCH):
                chosen = slice(first, first + BATCH)
                begin = None if start is None else Start(start.mel[chosen], start.strength)
                seeds = [seed + first + row for row in range(len(prompts[chosen]))]
                made = self.model.generate(self.model.encode(prompts[chosen]), seeds, begin)
                audio.append(made.audio)
                mels.append(made.mel)
        return torch.cat(audio), torch.cat(mels)


def measure(
    folder: Path, split: Split = "validation", count: int = 120, beside: Path | None = None
) -> dict[str, float]:
    """Shares, by name, that the models in a folder reach on a split; see the task's card for the floors.

    The judge is that of the folder `beside` where there is one.
    """
    torch.set_num_threads(1)
    band = Band.from_folder(folder, beside=beside)
    made = [clip(split, index) for index in range(count)]
    real = torch.from_numpy(np.stack([render(item).audio for item in made]))
    found = {f"real_{name}": share for name, share in shares(band, real, made).items()}
    generated, _ = band.play([item.prompt for item in made])
    return found | shares(band, generated, made)


def shares(band: Band, audio: Tensor, made: Sequence[Clip]) -> dict[str, float]:
    """How often the judge hears every named instrument of a clip, each named one, and each one that is not named."""
    heard = band.heard(audio)
    named = np.array([[label in item.instruments for label in band.judge.labels] for item in made])
    return {
        "all_named": float((heard | ~named).all(1).mean()),
        "named": float(heard[named].mean()),
        "not_named": float(heard[~named].mean()),
        "exact": float((heard == named).all(1).mean()),
    }
