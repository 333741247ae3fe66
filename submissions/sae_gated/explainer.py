"""Gated: a sparse autoencoder that decides whether a feature is active apart from how much (arXiv 2404.16014)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from earwitness.explaining.dense import DenseAutoencoder, DenseWeights, Encoding, above_thresholds
from earwitness.explaining.latents import Scaled
from earwitness.tracks.concept import Dictionary


@dataclass
class SaeGated(DenseAutoencoder):
    """|error|^2 + penalty |gate|_1 + |error of the gates alone, by a decoder that is held|^2."""

    penalty: float = 1.0
    """Of the gates' sum over features."""
    warm: Annotated[float, Field(ge=0, le=1)] = 0.3
    """Share of the training over which the penalty rises from 0."""

    def weights(self, features: int, width: int, seed: int) -> DenseWeights:
        """Weights, scales r and offsets of the magnitudes before training; `bias` is the gates'."""
        return DenseWeights(features, width, seed, scale=torch.zeros(features), size=torch.zeros(features))

    def loss(self, weights: DenseWeights, frames: Tensor, share: float) -> Tensor:
        """Of frames [B, D]."""
        gates = weights.pre(frames)
        sizes = weights.others["scale"].exp() * (gates - weights.bias) + weights.others["size"]
        error = weights.error((gates > 0) * sizes.relu(), frames)
        rising = min(1.0, share / self.warm) if self.warm else 1.0
        alone = gates.relu() @ weights.decoder.detach() + weights.offset.detach() - frames
        return error + self.penalty * rising * gates.relu().sum(1).mean() + alone.square().sum(1).mean()

    def dictionary(self, weights: DenseWeights, found: Scaled) -> Dictionary:
        """Of the latents as they were: a gate is open where the magnitude is above a threshold (section 3.1)."""
        scale, size = weights.others["scale"].exp(), weights.others["size"]
        sized = Encoding(weights.encoder * scale[:, None], size)
        return above_thresholds(sized, size - scale * weights.bias, weights, found)
