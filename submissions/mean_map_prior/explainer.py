"""Where an instrument sounds in other clips: a control that never asks the model."""

from __future__ import annotations

from dataclasses import dataclass

from earwitness.tracks.band import BandExplainer, BandItem, BandMap, BandModel


@dataclass
class MeanMapPrior(BandExplainer):
    """The average truth of each instrument over training clips, which every item carries."""

    def explain(self, model: BandModel, item: BandItem) -> BandMap:
        """The item's prior; raises ValueError where there is none."""
        if not item.prior.any():
            raise ValueError("the item's prior is zero: its dataset has no training clip of its instruments")
        return BandMap.of_instruments(item, item.prior)
