"""A dictionary drawn at random: the floor of every metric."""

from __future__ import annotations

from dataclasses import dataclass

from earwitness.explaining.untrained import untrained
from earwitness.tracks.concept import ConceptExplainer, ConceptItem, ConceptModel, Dictionary


@dataclass
class Random(ConceptExplainer):
    """Random unit directions of the scaled latents, rectified: what width alone is worth."""

    features: int = 0
    """Width of the dictionary; 0: 8 for each latent."""

    def fit(self, model: ConceptModel, item: ConceptItem, seed: int) -> Dictionary:
        """A dictionary of other directions than `random_relu` draws from the same seed."""
        return untrained(item, self.features, seed + 1)
