"""Matryoshka BatchTopK: a dictionary whose first features reconstruct by themselves, too (arXiv 2503.17547)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from earwitness.explaining.dense import DenseAutoencoder, DenseWeights, array
from earwitness.explaining.latents import Scaled, count
from earwitness.explaining.sparse import mean_least
from earwitness.tracks.concept import Activation, ConceptItem, ConceptModel, Dictionary

NESTED = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
"""Shares of the dictionary that each reconstruct by themselves."""


@dataclass
class SaeMatryoshka(DenseAutoencoder):
    """The mean over nested dictionaries, each the first features of the next, of |error|^2 by their active features."""

    k: int = 8
    """Features of a frame that are, on average, active."""

    def fit(self, model: ConceptModel, item: ConceptItem, seed: int) -> Dictionary:
        """The dictionary of an item's training frames."""
        count(item, self.features, self.k)
        return super().fit(model, item, seed)

    def weights(self, features: int, width: int, seed: int) -> DenseWeights:
        """Weights before training."""
        return DenseWeights(features, width, seed)

    def active(self, weights: DenseWeights, frames: Tensor) -> Tensor:
        """z [B, C] of frames [B, D]: the k B largest of all."""
        pre = weights.pre(frames).relu()
        largest = pre.flatten().topk(min(self.k * len(pre), pre.numel()))
        return torch.zeros_like(pre).flatten().scatter(0, largest.indices, largest.values).view_as(pre)

    def loss(self, weights: DenseWeights, frames: Tensor, share: float) -> Tensor:
        """Of frames [B, D]."""
        found, made, start = self.active(weights, frames), weights.offset - frames, 0
        total = torch.zeros(())
        for end in (max(1, round(part * found.shape[1])) for part in NESTED):
            made = made + found[:, start:end] @ weights.decoder[start:end]
            total = total + made.square().sum(1).mean()
            start = end
        return total / len(NESTED)

    def dictionary(self, weights: DenseWeights, found: Scaled) -> Dictionary:
        """Of the latents as they were: active is what is above the mean of the least values that stay in a batch."""
        batches = torch.split(torch.from_numpy(found.frames), self.batch)
        features = (array(self.active(weights, part)) for part in batches)
        return found.dictionary(
            array(weights.encoder.T),
            array(weights.bias),
            array(weights.decoder),
            Activation.THRESHOLD,
            offset=array(weights.offset),
            threshold=mean_least(each[each > 0] for each in features),
        )
