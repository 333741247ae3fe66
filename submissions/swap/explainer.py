"""What is gone from the sound when the word is gone from the prompt."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from pydantic import Field

from earwitness.tracks.band import BandExplainer, BandItem, BandMap, BandModel, generate, loudness


@dataclass
class Swap(BandExplainer):
    """The size of the difference that the word makes to the spectrogram, under the same start and noise."""

    seeds: Annotated[int, Field(ge=1)] = 1
    """Swap pairs of each word: the first under the item's own noise, the others under noise of the explainer's seed."""

    def explain(self, model: BandModel, item: BandItem) -> BandMap:
        """The map of one item: the mean over pairs of |loudness with the word - loudness without it|."""
        total = differences(model, item, item.mel)
        for seed in np.random.default_rng(item.explainer_seed).integers(2**31, size=self.seeds - 1):
            other = replace(item, seed=int(seed))
            total += differences(model, other, generate(model, other).mel[0].cpu().numpy())
        return BandMap.of_instruments(item, total / self.seeds)


def differences(model: BandModel, item: BandItem, mel: np.ndarray) -> np.ndarray:
    """What each instrument word's absence changes [I, M, T] in a sound [M, T] of the item's prompt and seed."""
    without = [generate(model, item, prompt=item.without(word)).mel[0] for word in range(len(item.instruments))]
    changed = loudness(mel) - loudness(np.stack([found.cpu().numpy() for found in without]))
    return np.asarray(np.abs(changed), dtype=np.float64)
