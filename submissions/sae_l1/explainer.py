"""A sparse autoencoder whose features are rectified and normalised, with an L1 penalty (arXiv 2510.23802)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch

from earwitness.explaining.latents import count, directions, scaled
from earwitness.explaining.training import Plan, train
from earwitness.tracks.concept import Activation, ConceptExplainer, ConceptItem, ConceptModel, Dictionary

if TYPE_CHECKING:
    from torch import Tensor

EPS = 1e-8
"""In the root mean square, as `Dictionary.encode` has it."""


class Weights(NamedTuple):
    """What is trained."""

    encoder: Tensor
    """[C, D]."""
    bias: Tensor
    """[C]."""
    decoder: Tensor
    """[C, D]."""


def rectified(weights: Weights, frames: Tensor) -> Tensor:
    """h = ReLU(W x + b) [B, C] of frames [B, D]."""
    return torch.addmm(weights.bias, frames, weights.encoder.T).relu()


def normalised(hidden: Tensor) -> Tensor:
    """f = RMSNorm(h) [B, C]: divided by the root mean square over features."""
    return hidden * (hidden.square().mean(-1, keepdim=True) + EPS).rsqrt()


def penalty(weights: Weights, frames: Tensor, form: str) -> Tensor:
    """What is kept small, averaged over frames: |h|_1 (printed) or |f|_1 / C (ours)."""
    hidden = rectified(weights, frames)
    return hidden.sum(-1).mean() if form == "printed" else normalised(hidden).mean()


@dataclass
class SaeL1(ConceptExplainer):
    """f = RMSNorm(ReLU(W x + b)), trained to reconstruct each frame as f @ decoder under a penalty."""

    form: str = "ours"
    """ours: the penalty is on f; printed: on h, which evades it by shrinking, since f does not change with its size."""
    features: int = 0
    """Width of the dictionary; 0: 8 for each latent."""
    penalty: float = 0.5
    """Weight lambda of the penalty."""
    epochs: int = 30
    """Times that every training frame is seen."""
    batch: int = 512
    """Frames a step."""
    rate: float = 3e-3
    """Adam's largest step."""

    def __post_init__(self) -> None:
        if self.form not in {"ours", "printed"}:
            raise ValueError(f"form must be ours or printed; found {self.form!r}")

    def fit(self, model: ConceptModel, item: ConceptItem, seed: int) -> Dictionary:
        """The dictionary of an item's training frames; weights and order of frames are drawn from the seed."""
        features = count(item, self.features)
        found = scaled(item)
        drawn = torch.from_numpy(directions(features, len(found.offset), seed))
        # f has C entries of mean square 1: with rows of this length the first output is as large as a frame.
        first = drawn * len(found.offset) / features
        weights = Weights(drawn.clone(), torch.zeros(features), first)

        def step(batch: Tensor) -> float:
            for parameter in weights:
                parameter.grad = None
            loss = self.loss(weights, batch)
            torch.autograd.backward(loss)
            return loss.item()

        for parameter in weights:
            parameter.requires_grad_()
        train(weights, found.frames, step, Plan(self.epochs, self.batch, self.rate), seed, lambda: None)
        encoder, bias, decoder = (parameter.detach().numpy() for parameter in weights)
        return found.dictionary(encoder.T, bias, decoder, Activation.RELU, normalise=True)

    def loss(self, weights: Weights, frames: Tensor) -> Tensor:
        """Mean squared error and weighted penalty of frames [B, D]."""
        error = (normalised(rectified(weights, frames)) @ weights.decoder - frames).square().mean()
        return error + self.penalty * penalty(weights, frames, self.form)
