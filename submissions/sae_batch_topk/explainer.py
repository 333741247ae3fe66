"""BatchTopK: k features a frame are active on average, more where a frame needs more (arXiv 2412.06410)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from earwitness.explaining.latents import count, scaled
from earwitness.explaining.sparse import SparseAutoencoder, least_active, of_batch
from earwitness.explaining.training import Plan
from earwitness.tracks.concept import Activation, ConceptExplainer, ConceptItem, ConceptModel, Dictionary


@dataclass
class SaeBatchTopK(ConceptExplainer):
    """Trained to reconstruct a batch of frames from the largest features of all of it."""

    features: int = 0
    """Width of the dictionary; 0: 8 for each latent."""
    k: int = 8
    """Features of a frame that are, on average, active."""
    epochs: Annotated[int, Field(ge=1)] = 30
    """Times that every training frame is seen."""
    batch: int = 512
    """Frames a step."""
    rate: float = 8e-3
    """Adam's largest step."""

    def fit(self, model: ConceptModel, item: ConceptItem, seed: int) -> Dictionary:
        """The dictionary of an item's training frames; weights and order of frames are drawn from the seed."""
        features = count(item, self.features, self.k)
        found = scaled(item, alike=True)
        trained = SparseAutoencoder(features, len(found.offset), self.k, seed, of_batch)
        trained.fit(found.frames, Plan(self.epochs, self.batch, self.rate))
        encoder, bias, decoder, offset = (part.numpy() for part in trained.parameters)
        threshold = least_active(trained, found.frames, self.batch)
        return found.dictionary(encoder.T, bias, decoder, Activation.THRESHOLD, threshold=threshold, offset=offset)
