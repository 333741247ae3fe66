"""The checkout's submissions of the speech track, and utterances of a fake model to explain."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from earwitness.submission import load_explainer, read_submission
from earwitness.tracks.speech import SpeechExplainer, SpeechItem
from speech_fakes import FakeSpeechModel, fake_item

if TYPE_CHECKING:
    from types import ModuleType

SUBMISSIONS = Path(__file__).parents[1] / "submissions"
SPEECH_IDS = sorted(
    path.parent.name
    for path in SUBMISSIONS.glob("*/submission.toml")
    if "speech" in read_submission(path.parent).card.explainers
)
QUICK = {"masks": 60, "prefix_masks": 20, "samples": 12, "orders": 6}
ONE_STRETCH = {"word_lime", "word_times"}
"""Say that one word is all of an utterance."""
OF_SOUND = {"word_times"}
"""Claim nothing of earlier tokens."""


@dataclass(frozen=True)
class SpeechBaseline:
    """A submission's explainer and the module that it comes from."""

    explainer: SpeechExplainer
    module: ModuleType

    def build(self, **parameters: Any) -> Any:
        """The explainer with other parameters than the card's."""
        return type(self.explainer)(**parameters)


@cache
def speech_baseline(name: str) -> SpeechBaseline:
    """A submission of the checkout, imported once."""
    explainer = load_explainer(read_submission(SUBMISSIONS / name), "speech")
    return SpeechBaseline(explainer, sys.modules[type(explainer).__module__])


def quick_speech(name: str) -> SpeechExplainer:
    """A submission's explainer, with fewer masks where it draws masks."""
    loaded = speech_baseline(name)
    fewer = {key: value for key, value in QUICK.items() if hasattr(loaded.explainer, key)}
    found: SpeechExplainer = loaded.build(**{**vars(loaded.explainer), **fewer})
    return found


@cache
def fake_model() -> FakeSpeechModel:
    """The fake model, on one thread."""
    torch.set_num_threads(1)
    return FakeSpeechModel()


@cache
def fake_items(count: int = 3) -> tuple[SpeechItem, ...]:
    """Utterances of the fake model, of several lengths."""
    return tuple(
        fake_item(fake_model(), seed, name=f"item-{seed}", seconds=(1.0, 0.8, 1.3)[seed % 3]) for seed in range(count)
    )


def cut(item: SpeechItem, tokens: int | None = None, frames: int | None = None) -> SpeechItem:
    """The beginning of an item."""
    return replace(
        item,
        features=item.features[:frames],
        tokens=item.tokens[:tokens],
        words=item.words[:tokens],
        pieces=item.pieces[:tokens],
    )
