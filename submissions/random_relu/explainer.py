"""A dictionary that nobody trained: how far width alone goes."""

from __future__ import annotations

from dataclasses import dataclass

from earwitness.explaining.untrained import untrained
from earwitness.tracks.concept import ConceptExplainer, ConceptItem, ConceptModel, Dictionary


@dataclass
class RandomRelu(ConceptExplainer):
    """Random unit directions of the scaled latents, rectified; the decoder is the encoder transposed."""

    features: int = 0
    """Width of the dictionary; 0: 8 for each latent."""

    def fit(self, model: ConceptModel, item: ConceptItem, seed: int) -> Dictionary:
        """A dictionary of directions drawn from the seed."""
        return untrained(item, self.features, seed)
