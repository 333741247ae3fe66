"""The checkout's submissions of the prompt track, and items of a tiny model to explain."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from earwitness.models.musicgen import MusicgenModel, from_pretrained
from earwitness.submission import load_explainer, read_submission
from earwitness.tracks.prompt import PromptExplainer, PromptItem
from tiny import tiny_musicgen

if TYPE_CHECKING:
    from types import ModuleType

SUBMISSIONS = Path(__file__).parents[1] / "submissions"
IDS = sorted(
    path.parent.name
    for path in SUBMISSIONS.glob("*/submission.toml")
    if "prompt" in read_submission(path.parent).card.explainers
)
QUICK = {"epochs": 3, "samples": 8, "orders": 6}
PROMPTS = ("the dog barks loudly", "rain", "a bell rings then the siren wails while rain", "someone hears a quiet bell")


@dataclass(frozen=True)
class Baseline:
    """A submission's explainer and the module that it comes from."""

    explainer: PromptExplainer
    module: ModuleType

    def build(self, **parameters: Any) -> Any:
        """The explainer with other parameters than the card's."""
        return type(self.explainer)(**parameters)


@cache
def baseline(name: str) -> Baseline:
    """A submission of the checkout, imported once."""
    explainer = load_explainer(read_submission(SUBMISSIONS / name), "prompt")
    return Baseline(explainer, sys.modules[type(explainer).__module__])


def quick(name: str) -> PromptExplainer:
    """A submission's explainer, with less training where it trains, and fewer draws where it draws."""
    loaded = baseline(name)
    fewer = {key: value for key, value in QUICK.items() if hasattr(loaded.explainer, key)}
    found: PromptExplainer = loaded.build(**{**vars(loaded.explainer), **fewer}) if fewer else loaded.explainer
    return found


@cache
def tiny_model() -> MusicgenModel:
    """The tiny model, on one thread."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        return from_pretrained(str(tiny_musicgen(Path(folder))))


@cache
def tiny_items() -> tuple[PromptItem, ...]:
    """An item of the tiny model for each of PROMPTS."""
    return tuple(make_item(tiny_model(), prompt, seed) for seed, prompt in enumerate(PROMPTS))


def make_item(model: MusicgenModel, prompt: str, seed: int) -> PromptItem:
    """The item of a prompt whose sound is generated under a seed."""
    return PromptItem(
        id=f"item-{seed}",
        prompt=prompt,
        seed=seed,
        explainer_seed=100 + seed,
        codes=model.sample(model.encode([prompt]), seed)[0].numpy(),
        tokens=tuple(model.tokens([prompt])[0]),
        special=model.special([prompt])[0],
    )
