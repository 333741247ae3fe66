"""Every word acted everywhere: a control that never asks the model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from earwitness.tracks.band import BandExplainer, BandItem, BandMap, BandModel


@dataclass
class AllOnes(BandExplainer):
    """The same weight for every cell of the mel grid."""

    def explain(self, model: BandModel, item: BandItem) -> BandMap:
        """Ones for every instrument word."""
        return BandMap.of_instruments(item, np.ones((len(item.instruments), *item.mel.shape)))
