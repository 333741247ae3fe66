"""AIBA: the cross-attention of a generation, averaged and brought to the mel grid (arXiv 2509.20891)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from earwitness.tracks.band import BandExplainer, BandItem, BandMap, BandModel, attended


@dataclass
class Aiba(BandExplainer):
    """Attention on the word's own tokens, averaged over heads, steps and layers."""

    layers: Sequence[int] = ()
    """Numbers of the layers whose attention is averaged; none for all."""

    def explain(self, model: BandModel, item: BandItem) -> BandMap:
        """The map of one item: each instrument word's in [0, 1]; raises ValueError for a layer the model has not."""
        maps = BandMap(maps=attended(model, item, self.layers)).instruments(item)
        low, high = maps.min((1, 2), keepdims=True), maps.max((1, 2), keepdims=True)
        return BandMap.of_instruments(item, (maps - low) / np.where(high > low, high - low, 1.0))
