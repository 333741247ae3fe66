"""Instruments sound low: a control that never asks the model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from earwitness.tracks.band import BandExplainer, BandItem, BandMap, BandModel


@dataclass
class LowPassPrior(BandExplainer):
    """A weight that falls linearly with the mel bin, the same for all words and frames."""

    def explain(self, model: BandModel, item: BandItem) -> BandMap:
        """From 1 in the lowest bin to 1 / M in the highest, for every instrument word."""
        bins, frames = item.mel.shape
        falling = 1 - np.arange(bins) / bins
        return BandMap.of_instruments(item, np.tile(falling[:, None], (len(item.instruments), 1, frames)))
