"""The attention of another instrument's word: a control."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from earwitness.tracks.band import AttentionSums, BandExplainer, BandItem, BandMap, BandModel, generate, on_mel_grid


@dataclass
class WrongWord(BandExplainer):
    """Gives each instrument word the attention on the next one of the prompt, and the last that on the first."""

    layers: Sequence[int] = ()
    """Numbers of the layers whose attention is averaged; none for all."""

    @torch.inference_mode()
    def explain(self, model: BandModel, item: BandItem) -> BandMap:
        """The map of one item; raises ValueError for a prompt of one instrument or a layer that the model has not."""
        if len(item.instruments) == 1:
            raise ValueError("the prompt names one instrument, so that there is no other one's word")
        unknown = sorted(set(self.layers) - set(range(model.layers)))
        if unknown:
            raise ValueError(f"layers must be among 0 to {model.layers - 1}; found {unknown}")
        seen = AttentionSums()
        generate(model, item, record=seen)
        maps = [
            on_mel_grid(attention[0].mean(0).movedim(-1, 0), item.mel.shape)
            for layer, attention in seen.means().items()
            if not self.layers or layer in self.layers
        ]
        own = BandMap(maps=torch.stack(maps).mean(0).cpu().numpy()).instruments(item)
        return BandMap.of_instruments(item, np.roll(own, -1, axis=0))
