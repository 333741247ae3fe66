"""Sparse autoencoders whose features are rectified and normalised, with an L1 penalty (arXiv 2510.23802).

    h = ReLU(W x + b);  f = h / sqrt(mean h^2 + eps);  frames ~ f @ decoder

Letters of shapes: `B` frames, `D` width of the latents, `C` features.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, NamedTuple

import torch
from pydantic import Field

from earwitness.explaining.checkpoints import Kept
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


class Activity(NamedTuple):
    """What frames are encoded to."""

    hidden: Tensor
    """h [B, C]: rectified, before the norm."""
    features: Tensor
    """f [B, C]: h divided by its root mean square over features."""


def activity(encoder: Tensor, bias: Tensor, frames: Tensor) -> Activity:
    """h and f of frames [B, D], by an encoder [C, D] and a bias [C]."""
    hidden = torch.addmm(bias, frames, encoder.T).relu()
    return Activity(hidden, hidden * (hidden.square().mean(-1, keepdim=True) + EPS).rsqrt())


@dataclass
class L1Autoencoder(ConceptExplainer):
    """f = RMSNorm(ReLU(W x + b)), trained to reconstruct each frame as f @ decoder under a penalty on its activity."""

    features: int = 0
    """Width of the dictionary; 0: 8 for each latent."""
    penalty: float = 0.5
    """Weight lambda of the penalty."""
    epochs: Annotated[int, Field(ge=1)] = 30
    """Times that every training frame is seen."""
    batch: int = 512
    """Frames a step."""
    rate: float = 3e-3
    """Adam's largest step."""

    @abstractmethod
    def penalised(self, found: Activity) -> Tensor:
        """What is kept small: a scalar, averaged over frames."""

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
        plan = Plan(self.epochs, self.batch, self.rate)
        train(weights, found.frames, step, plan, seed, kept=Kept(repr(self)))
        encoder, bias, decoder = (parameter.detach().numpy() for parameter in weights)
        return found.dictionary(encoder.T, bias, decoder, Activation.RELU, normalise=True)

    def loss(self, weights: Weights, frames: Tensor) -> Tensor:
        """Mean squared error and weighted penalty of frames [B, D]."""
        found = activity(weights.encoder, weights.bias, frames)
        error = (found.features @ weights.decoder - frames).square().mean()
        return error + self.penalty * self.penalised(found)
