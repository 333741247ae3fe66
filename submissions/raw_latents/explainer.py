"""The latents themselves, each a feature: what any dictionary has to beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from earwitness.explaining.latents import scaled
from earwitness.tracks.concept import Activation, ConceptExplainer, ConceptItem, ConceptModel, Dictionary


@dataclass
class RawLatents(ConceptExplainer):
    """Every latent, centred and of deviation 1, is a feature; nothing is drawn or trained."""

    def fit(self, model: ConceptModel, item: ConceptItem, seed: int) -> Dictionary:
        """The dictionary of D features that are the item's latents."""
        found = scaled(item)
        same = np.eye(len(found.offset))
        return found.dictionary(same, np.zeros(len(same)), same, Activation.IDENTITY)
