"""The checkout's submissions of the band track, and items of a fake model to explain."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from band_fakes import FakeBandModel, fake_item
from earwitness.submission import load_explainer, read_submission
from earwitness.tracks.band import BandExplainer, BandItem

if TYPE_CHECKING:
    from types import ModuleType

SUBMISSIONS = Path(__file__).parents[1] / "submissions"
BAND_IDS = sorted(
    path.parent.name
    for path in SUBMISSIONS.glob("*/submission.toml")
    if "band" in read_submission(path.parent).card.explainers
)
PROMPTS = ("a bass and a flute", "Here is drum, trumpet with organ for us", "cymbal over the bass")


@dataclass(frozen=True)
class BandBaseline:
    """A submission's explainer and the module that it comes from."""

    explainer: BandExplainer
    module: ModuleType

    def build(self, **parameters: Any) -> Any:
        """The explainer with other parameters than the card's."""
        return type(self.explainer)(**parameters)


@cache
def band_baseline(name: str) -> BandBaseline:
    """A submission of the checkout, imported once."""
    explainer = load_explainer(read_submission(SUBMISSIONS / name), "band")
    return BandBaseline(explainer, sys.modules[type(explainer).__module__])


@cache
def band_model(has_frequency: bool = True) -> FakeBandModel:
    """The fake model, on one thread."""
    torch.set_num_threads(1)
    return FakeBandModel(has_frequency)


@cache
def band_items(has_frequency: bool = True) -> tuple[BandItem, ...]:
    """Sounds of the fake model; the last starts from noise alone."""
    model = band_model(has_frequency)
    return tuple(
        fake_item(model, prompt, seed=seed, name=f"item-{seed}", start=seed < 2) for seed, prompt in enumerate(PROMPTS)
    )
