"""A sparse dictionary that nobody trained: how far sparsity and width go alone."""

from __future__ import annotations

from dataclasses import dataclass

from earwitness.explaining.untrained import untrained
from earwitness.tracks.concept import Activation, ConceptExplainer, ConceptItem, ConceptModel, Dictionary


@dataclass
class RandomTopK(ConceptExplainer):
    """Random unit directions of the scaled latents, the k largest kept; the decoder is the encoder transposed."""

    features: int = 0
    """Width of the dictionary; 0: 8 for each latent."""
    k: int = 8
    """Features of a frame that may be active."""

    def fit(self, model: ConceptModel, item: ConceptItem, seed: int) -> Dictionary:
        """A dictionary of directions drawn from the seed."""
        return untrained(item, self.features, seed, Activation.TOPK, self.k)
