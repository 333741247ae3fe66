"""A sparse dictionary that nobody trained: how far sparsity and width go alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from earwitness.explaining.latents import count, directions, scaled
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
        features = count(item, self.features, self.k)
        found = scaled(item)
        drawn = directions(features, len(found.offset), seed)
        bias = np.zeros(features)
        same = Dictionary(drawn.T, bias, drawn, np.zeros(len(found.offset)), Activation.TOPK, k=self.k)
        made = same.decode(same.encode(found.frames))
        # The one number that is fitted, by least squares: else a wide dictionary's output would be too large.
        length = np.vdot(found.frames, made) / max(float(np.vdot(made, made)), 1e-12)
        return found.dictionary(drawn.T, bias, length * drawn, Activation.TOPK, k=self.k)
