"""Maps drawn at random: the floor of every metric."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from earwitness.tracks.band import BandExplainer, BandItem, BandMap, BandModel


@dataclass
class Random(BandExplainer):
    """Independent uniform cells, fixed by the item's explainer seed."""

    def explain(self, model: BandModel, item: BandItem) -> BandMap:
        """A map of every instrument word whose every cell is uniform on [0, 1)."""
        shape = (len(item.instruments), *item.mel.shape)
        return BandMap.of_instruments(item, np.random.default_rng(item.explainer_seed).random(shape))
