"""What trained models reach: the floors that a soundscape task's models must pass, measured on held-out scenes."""

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
from earwitness.worlds.captions import FILLERS, LOUDNESS_WORDS, ORDER_WORDS
from earwitness.worlds.soundscape import SAMPLES, Scene, Split, render, scene


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
SILENT = 1e-7
"""Mean square under which a half counts as silent."""


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


def measure(
    folder: Path, split: Split = "validation", captions: int = 120, real: int = 300, beside: Path | None = None
) -> dict[str, float]:
    """Shares, by name, that the models in a folder reach on a split; see issue texts and task cards for the floors.

    Judges are those of the folder `beside` where there is one.
    """
    torch.set_num_threads(1)
    ensemble = Ensemble.from_folder(folder, beside)
    scenes = [scene(split, index) for index in range(real)]
    audio = torch.from_numpy(np.stack([render(item).audio for item in scenes]))
    return {
        **hearing(ensemble, scenes, audio),
        **obedience(ensemble, scenes[:captions]),
        **loudness(ensemble, scenes, captions),
    }


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


def unchanged(
    ensemble: Ensemble, judge: str, scenes: Sequence[Captioned], fillers: Sequence[str] = FILLERS
) -> dict[str, float]:
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


def replace_fillers(prompt: str, rng: np.random.Generator, fillers: Sequence[str] = FILLERS) -> str:
    """The prompt with every filler replaced by another one.

    >>> replace_fillers("dog", np.random.default_rng(0))
    'dog'
    """
    return " ".join(
        str(rng.choice([filler for filler in fillers if filler != word])) if word in fillers else word
        for word in prompt.split()
    )


def _heard(ensemble: Ensemble, judge: str, audio: Tensor) -> NDArray[np.bool_]:
    return np.asarray(ensemble.presence(audio, judge).numpy() > 0.5)


def loudness(ensemble: Ensemble, scenes: Sequence[Scene], count: int) -> dict[str, float]:
    """How often a caption with its loudness word swapped comes out louder or softer, as the words say, and by how much.

    Captions of one event with a loudness word, both versions under the same noise; levels are root mean squares.
    """
    chosen = [item for item in scenes if len(item.events) == 1 and item.events[0].loudness][:count]
    loud = ensemble.sing([swap(item.caption.text, LOUDNESS_WORDS, "loud") for item in chosen])
    quiet = ensemble.sing([swap(item.caption.text, LOUDNESS_WORDS, "quiet") for item in chosen])
    change = level_db(loud) - level_db(quiet)
    return {"loudness": float((change > 3).mean()), "loudness_db": float(np.median(change))}


def order(ensemble: Ensemble, scenes: Sequence[Scene], count: int) -> dict[str, float]:
    """How often order words put sound where they say, and how often swapping them swaps the halves.

    One event: the half that is named carries over nine tenths of the energy. Two events: in each half the
    judge hears the promised class more than the other; swapped words must swap them.
    """
    ordered = [item for item in scenes if item.events[0].order][:count]
    prompts = [item.caption.text for item in ordered]
    audio, swapped = ensemble.sing(prompts), ensemble.sing([mirror(prompt) for prompt in prompts])
    right = np.array([_in_order(ensemble, clip, item, False) for clip, item in zip(audio, ordered, strict=True)])
    turned = np.array([_in_order(ensemble, clip, item, True) for clip, item in zip(swapped, ordered, strict=True)])
    pairs = np.array([len(item.events) == 2 for item in ordered])
    return {
        "order": float(right.mean()),
        "order_swapped": float((right & turned).mean()),
        "order_pairs": float((right & turned)[pairs].mean()),
    }


def _in_order(ensemble: Ensemble, audio: Tensor, item: Scene, swapped: bool) -> bool:
    early, late = audio[: SAMPLES // 2], audio[SAMPLES // 2 :]
    if len(item.events) == 1:
        energy = np.array([float(early.square().mean()), float(late.square().mean())]) + SILENT / 100
        first = (item.events[0].order == "early") ^ swapped
        return bool(energy[0 if first else 1] > 9 * energy[1 if first else 0])
    # A half is heard alone, the other half silenced, so that the judge gets clips of the length it knows.
    silence = torch.zeros_like(early)
    halves = torch.stack([torch.cat([early, silence]), torch.cat([silence, late])])
    judge = ensemble.judges["ast"]
    heard = judge.logits(halves)
    by_order = {event.order: judge.labels.index(event.label) for event in item.events}
    one, other = by_order["early"], by_order["late"]
    if swapped:
        one, other = other, one
    return bool(heard[0, one] > heard[0, other] and heard[1, other] > heard[1, one])


def swap(prompt: str, words: dict[str, tuple[str, ...]], value: str) -> str:
    """The prompt with every word of a role set to the first word of a value."""
    every = {word for group in words.values() for word in group}
    return " ".join(words[value][0] if word in every else word for word in prompt.split())


def mirror(prompt: str) -> str:
    """The prompt with early words made late and late words early."""
    pairs = list(zip(ORDER_WORDS["early"], ORDER_WORDS["late"], strict=True))
    other = dict([*pairs, *((late, early) for early, late in pairs)])
    return " ".join(other.get(word, word) for word in prompt.split())


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
