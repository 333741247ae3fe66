"""AIBA as it is printed: attention averaged over all tokens of the prompt, which is the same at every place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from earwitness.tracks.band import BandExplainer, BandItem, BandMap, BandModel, attended

ROUNDING = 1e-5
"""Share of its largest value within which a map is constant but for what single precision rounds off."""


@dataclass
class AibaPrinted(BandExplainer):
    """Attention averaged over heads, steps, layers and all tokens: softmax makes it 1 / N everywhere."""

    layers: Sequence[int] = ()
    """Numbers of the layers whose attention is averaged; none for all."""

    def explain(self, model: BandModel, item: BandItem) -> BandMap:
        """The map of one item, the same for every instrument word; raises ValueError for a layer the model has not.

        A range within rounding is none: the printed min-max would blow it up to a picture.
        """
        printed = attended(model, item, self.layers).mean(0, dtype=np.float64)
        if np.ptp(printed) <= ROUNDING * printed.max():
            printed = np.full_like(printed, printed.mean())
        return BandMap.of_instruments(item, np.repeat(printed[None], len(item.instruments), axis=0))
