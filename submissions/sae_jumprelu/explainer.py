"""JumpReLU: a sparse autoencoder whose features each have a threshold of their own (arXiv 2407.14435)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from earwitness.explaining.dense import DenseAutoencoder, DenseWeights, Encoding, above_thresholds
from earwitness.explaining.latents import Scaled
from earwitness.tracks.concept import Dictionary


def near(pre: Tensor, threshold: Tensor, bandwidth: float) -> Tensor:
    """K((x - threshold) / bandwidth) / bandwidth [B, C] for the rectangle K of width and height 1."""
    return ((pre - threshold).abs() < bandwidth / 2).to(pre.dtype) / bandwidth


class Jump(torch.autograd.Function):
    """x where it is above a threshold, else 0; the threshold's gradient is estimated from frames near it (eq. 11)."""

    @staticmethod
    def forward(ctx: Any, pre: Tensor, threshold: Tensor, bandwidth: float) -> Tensor:
        """z [B, C] of x [B, C] and thresholds [C]."""
        ctx.save_for_backward(pre, threshold)
        ctx.bandwidth = bandwidth
        return pre * (pre > threshold)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        """Of x and of the thresholds."""
        pre, threshold = ctx.saved_tensors
        (gradient,) = gradients
        return gradient * (pre > threshold), -(threshold * near(pre, threshold, ctx.bandwidth) * gradient).sum(0), None


class Step(torch.autograd.Function):
    """1 where x is above a threshold, else 0, with the same estimate (eq. 12)."""

    @staticmethod
    def forward(ctx: Any, pre: Tensor, threshold: Tensor, bandwidth: float) -> Tensor:
        """[B, C] of x [B, C] and thresholds [C]."""
        ctx.save_for_backward(pre, threshold)
        ctx.bandwidth = bandwidth
        return (pre > threshold).to(pre.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor, None]:
        """Of the thresholds; x has none."""
        pre, threshold = ctx.saved_tensors
        (gradient,) = gradients
        return None, -(near(pre, threshold, ctx.bandwidth) * gradient).sum(0), None


@dataclass
class SaeJumpReLU(DenseAutoencoder):
    """|error|^2 + penalty (active features / k - 1)^2: as many features of a frame are active as are asked for."""

    k: int = 8
    """Features of a frame that are, on average, active."""
    penalty: float = 1.0
    """Of missing k, in shares of the frames' mean square."""
    bandwidth: Annotated[float, Field(gt=0)] = 0.5
    """Of the estimate, in deviations of a latent."""
    first: Annotated[float, Field(gt=0)] = 0.5
    """Thresholds before training."""
    warm: Annotated[float, Field(ge=0, le=1)] = 0.3
    """Share of the training over which the penalty rises from 0."""

    def weights(self, features: int, width: int, seed: int) -> DenseWeights:
        """Weights and thresholds before training."""
        return DenseWeights(features, width, seed, threshold=torch.full((features,), self.first))

    def loss(self, weights: DenseWeights, frames: Tensor, share: float) -> Tensor:
        """Of frames [B, D]."""
        pre, threshold = weights.pre(frames).relu(), weights.others["threshold"]
        features: Tensor = Jump.apply(pre, threshold, self.bandwidth)  # type: ignore[no-untyped-call]
        steps: Tensor = Step.apply(pre, threshold, self.bandwidth)  # type: ignore[no-untyped-call]
        error, active = weights.error(features, frames), steps.sum(1).mean()
        rising = min(1.0, share / self.warm) if self.warm else 1.0
        return error + self.penalty * frames.shape[1] * rising * (active / self.k - 1).square()

    def dictionary(self, weights: DenseWeights, found: Scaled) -> Dictionary:
        """Of the latents as they were."""
        own = Encoding(weights.encoder, weights.bias)
        return above_thresholds(own, weights.others["threshold"], weights, found)
