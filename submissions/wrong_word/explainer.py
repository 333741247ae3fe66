"""The attention of another instrument's word: a control."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from earwitness.tracks.band import BandExplainer, BandItem, BandMap, BandModel, attended


@dataclass
class WrongWord(BandExplainer):
    """Gives each instrument word the attention on the next one of the prompt, and the last that on the first."""

    layers: Sequence[int] = ()
    """Numbers of the layers whose attention is averaged; none for all."""

    def explain(self, model: BandModel, item: BandItem) -> BandMap:
        """The map of one item; raises ValueError for a prompt of one instrument or a layer that the model has not."""
        if len(item.instruments) == 1:
            raise ValueError("the prompt names one instrument, so that there is no other one's word")
        own = BandMap(maps=attended(model, item, self.layers)).instruments(item)
        return BandMap.of_instruments(item, np.roll(own, -1, axis=0))
