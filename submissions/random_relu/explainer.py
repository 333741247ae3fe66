"""A dictionary that nobody trained: how far width alone goes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from earwitness.explaining.latents import count, directions, scaled
from earwitness.tracks.concept import Activation, ConceptExplainer, ConceptItem, ConceptModel, Dictionary


@dataclass
class RandomRelu(ConceptExplainer):
    """Random unit directions of the scaled latents, rectified; the decoder is the encoder transposed."""

    features: int = 0
    """Width of the dictionary; 0: 8 for each latent."""

    def fit(self, model: ConceptModel, item: ConceptItem, seed: int) -> Dictionary:
        """A dictionary of directions drawn from the seed."""
        features = count(item, self.features)
        found = scaled(item)
        drawn = directions(features, len(found.offset), seed)
        bias = np.zeros(features)
        same = Dictionary(drawn.T, bias, drawn, np.zeros(len(found.offset)), Activation.RELU)
        made = same.decode(same.encode(found.frames))
        # The one number that is fitted, by least squares: else a wide dictionary's output would be too large.
        length = np.vdot(found.frames, made) / max(float(np.vdot(made, made)), 1e-12)
        return found.dictionary(drawn.T, bias, length * drawn, Activation.RELU)
