"""TopK: a sparse autoencoder of which k features are active in a frame (arXiv 2406.04093)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from earwitness.explaining.latents import count, scaled
from earwitness.explaining.sparse import SparseAutoencoder, of_frame
from earwitness.explaining.training import Plan
from earwitness.tracks.concept import Activation, ConceptExplainer, ConceptItem, ConceptModel, Dictionary


@dataclass
class SaeTopK(ConceptExplainer):
    """Trained to reconstruct each frame from its k largest features."""

    features: int = 0
    """Width of the dictionary; 0: 8 for each latent."""
    k: int = 8
    """Features of a frame that may be active."""
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
        trained = SparseAutoencoder(features, len(found.offset), self.k, seed, of_frame)
        trained.fit(found.frames, Plan(self.epochs, self.batch, self.rate))
        encoder, bias, decoder, offset = (part.numpy() for part in trained.parameters)
        return found.dictionary(encoder.T, bias, decoder, Activation.TOPK, k=self.k, offset=offset)
