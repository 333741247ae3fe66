"""What judges hear of the text-to-audio models of made worlds: the ground of the floors that models must pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from earwitness.judges import Judge, ast, cnn, passt
from earwitness.models import musicgen
from earwitness.scoring.prompt.responses import PromptRespondent
from earwitness.worlds.events import SAMPLES


class HasText(Protocol):
    """A caption."""

    @property
    def text(self) -> str:
        """Its words, separated by single spaces."""


class Captioned(Protocol):
    """A scene of some world."""

    @property
    def caption(self) -> HasText:
        """What is said of it."""

    @property
    def labels(self) -> frozenset[str]:
        """Classes that sound."""


BATCH = 25


@dataclass(frozen=True)
class Ensemble:
    """A text-to-audio model, and the judges that listen to it."""

    model: musicgen.MusicgenModel
    judges: dict[str, Judge]

    @classmethod
    def from_folder(cls, folder: Path, beside: Path | None = None) -> Ensemble:
        """Model and judges of a task's folder; judges of the folder `beside` where there is one."""
        shelf = (beside or folder) / "judges"
        judges: dict[str, Judge] = {
            "ast": ast.load(shelf / "ast"),
            "cnn": cnn.load(shelf / "cnn"),
            "passt": passt.load(shelf / "passt"),
        }
        return cls(musicgen.from_pretrained(str(folder / "model")), judges)

    def sing(self, prompts: Sequence[str], seed: int = 0) -> Tensor:
        """Audio [B, S] of prompts; prompt i has the generation seed `seed + i`."""
        parts = []
        with torch.inference_mode():
            for start in range(0, len(prompts), BATCH):
                chunk = prompts[start : start + BATCH]
                seeds = [seed + start + i for i in range(len(chunk))]
                parts.append(self.model.generate(self.model.encode(chunk), seeds)[1])
        return torch.cat(parts)

    def presence(self, audio: Tensor, judge: str) -> Tensor:
        """[B, C] how surely a judge hears each class in audio [B, S] of the model's sample rate."""
        listener = PromptRespondent(self.model, self.judges)
        return torch.cat([torch.from_numpy(listener.presence(part, judge)) for part in torch.split(audio, BATCH)])


def hearing(ensemble: Ensemble, scenes: Sequence[Captioned], audio: Tensor) -> dict[str, float]:
    """How often each judge names exactly the sounding classes, of audio [B, S] of the world and of the same, coded."""
    through = coded(ensemble, audio)
    sounding = [item.labels for item in scenes]
    shares = {}
    for name in ensemble.judges:
        shares[f"{name}_real"] = exact(ensemble, name, audio, sounding)
        shares[f"{name}_coded"] = exact(ensemble, name, through, sounding)
    return shares


def coded(ensemble: Ensemble, audio: Tensor) -> Tensor:
    """Audio [B, S] of the world through the model's codec."""
    codec: Any = ensemble.model.module.audio_encoder
    with torch.inference_mode():
        parts = [codec.audio(codec.quantise(codec.latents(part))) for part in torch.split(audio, BATCH)]
    return torch.cat(parts)[:, :SAMPLES]


def obedience(ensemble: Ensemble, scenes: Sequence[Captioned]) -> dict[str, float]:
    """How often generated audio carries exactly the captioned classes."""
    audio, sounding = ensemble.sing([item.caption.text for item in scenes]), [item.labels for item in scenes]
    return {f"classes_{name}": exact(ensemble, name, audio, sounding) for name in ensemble.judges}


def unchanged(ensemble: Ensemble, judge: str, scenes: Sequence[Captioned], fillers: Sequence[str]) -> dict[str, float]:
    """How often the judge hears the same classes when every filler is another one, and when only the noise is other."""
    prompts = [item.caption.text for item in scenes]
    rng = np.random.default_rng(0)
    before = _heard(ensemble, judge, ensemble.sing(prompts))
    after = _heard(ensemble, judge, ensemble.sing([replace_fillers(prompt, rng, fillers) for prompt in prompts]))
    fresh = _heard(ensemble, judge, ensemble.sing(prompts, seed=len(prompts)))
    return {
        "unchanged": float((before == after).all(1).mean()),
        "unchanged_fresh": float((before == fresh).all(1).mean()),
    }


def replace_fillers(prompt: str, rng: np.random.Generator, fillers: Sequence[str]) -> str:
    """The prompt with every filler replaced by another one.

    >>> replace_fillers("the dog", np.random.default_rng(0), ["some", "the"])
    'some dog'
    """
    return " ".join(
        str(rng.choice([filler for filler in fillers if filler != word])) if word in fillers else word
        for word in prompt.split()
    )


def _heard(ensemble: Ensemble, judge: str, audio: Tensor) -> NDArray[np.bool_]:
    return np.asarray(ensemble.presence(audio, judge).numpy() > 0.5)


def level_db(audio: Tensor) -> NDArray[np.float64]:
    """Root mean square [B] of audio [B, S] in dB below full scale, at least -100."""
    power = audio.double().square().mean(-1).clamp_min(1e-10)
    return np.asarray(10 * power.log10().numpy())


def exact(ensemble: Ensemble, judge: str, audio: Tensor, sounding: Sequence[frozenset[str]]) -> float:
    """How often a judge names exactly the sounding classes of audio [B, S]."""
    heard = ensemble.presence(audio, judge) > 0.5
    labels = ensemble.judges[judge].labels
    truth = torch.tensor([[label in classes for label in labels] for classes in sounding])
    return float((heard == truth).all(1).double().mean())


def summary(figures: dict[str, Any]) -> str:
    """Figures in one line."""
    return "  ".join(f"{name} {value:.3f}" for name, value in figures.items())
