"""Sparse autoencoders whose losses torch differentiates: what JumpReLU, gated and Matryoshka dictionaries share.

    x = (frames - offset) @ encoder.T + bias;  z = what an activation leaves of x;  frames ~ z @ decoder + offset

Losses are those of the error summed over latents and averaged over frames, gradients are clipped, rows of the decoder
keep length 1, as in dictionary_learning. Letters of shapes: `B` frames, `D` width of the latents, `C` features.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from earwitness.explaining.checkpoints import Kept
from earwitness.explaining.latents import Scaled, count, directions, scaled
from earwitness.explaining.training import Plan, train
from earwitness.tracks.concept import Activation, ConceptExplainer, ConceptItem, ConceptModel, Dictionary

LEAST = 0.01
"""Deviation of a latent below which no threshold is taken for one: features that small are no features."""


class DenseWeights:
    """What is trained: encoder [C, D], bias [C], decoder [C, D], offset [D], and what a loss has beside them."""

    def __init__(self, features: int, width: int, seed: int, **others: Tensor) -> None:
        """The decoder's rows are unit directions drawn from the seed, the encoder is the same, the rest 0."""
        drawn = directions(features, width, seed)
        self.encoder = torch.from_numpy(drawn.copy())
        self.bias = torch.zeros(features)
        self.decoder = torch.from_numpy(drawn)
        self.offset = torch.zeros(width)
        self.others = others
        for parameter in self.all:
            parameter.requires_grad_()

    @property
    def all(self) -> tuple[Tensor, ...]:
        """Encoder, bias, decoder, offset, and the others in the order of their names."""
        return self.encoder, self.bias, self.decoder, self.offset, *(self.others[name] for name in sorted(self.others))

    def pre(self, frames: Tensor) -> Tensor:
        """x [B, C] of frames [B, D]."""
        return (frames - self.offset) @ self.encoder.T + self.bias

    def error(self, features: Tensor, frames: Tensor) -> Tensor:
        """Squared error of what features [B, C] make of frames [B, D], summed over latents and averaged over frames."""
        return (features @ self.decoder + self.offset - frames).square().sum(1).mean()

    @torch.no_grad()
    def settle(self) -> None:
        """Bring the decoder's rows back to length 1."""
        self.decoder /= torch.linalg.vector_norm(self.decoder, dim=1, keepdim=True)


@dataclass
class DenseAutoencoder(ConceptExplainer, ABC):
    """A dictionary of an item's training frames, fitted by a loss that a subclass writes."""

    features: int = 0
    """Width of the dictionary; 0: 8 for each latent."""
    epochs: Annotated[int, Field(ge=1)] = 30
    """Times that every training frame is seen."""
    batch: int = 512
    """Frames a step."""
    rate: float = 4e-3
    """Adam's largest step."""
    clip: float = 1.0
    """Largest norm of the gradients of all parameters together; 0: no largest."""

    momentum = 0.9
    """Adam's first beta."""

    @abstractmethod
    def weights(self, features: int, width: int, seed: int) -> DenseWeights:
        """Weights before training."""

    @abstractmethod
    def loss(self, weights: DenseWeights, frames: Tensor, share: float) -> Tensor:
        """The loss of frames [B, D] when that share of the training is over."""

    @abstractmethod
    def dictionary(self, weights: DenseWeights, found: Scaled) -> Dictionary:
        """The dictionary of the latents as they were."""

    def fit(self, model: ConceptModel, item: ConceptItem, seed: int) -> Dictionary:
        """The dictionary of an item's training frames; weights and order of frames are drawn from the seed."""
        found = scaled(item)
        weights = self.weights(count(item, self.features), found.frames.shape[1], seed)
        plan = Plan(self.epochs, self.batch, self.rate, momentum=self.momentum)
        steps, taken = plan.steps(len(found.frames)), np.zeros(1, dtype=np.int64)

        def step(batch: Tensor) -> float:
            value = self.gradients(weights, batch, int(taken[0]) / steps)
            taken[0] += 1
            return value

        train(weights.all, found.frames, step, plan, seed, weights.settle, Kept(repr(self), [taken]))
        with torch.no_grad():
            return self.dictionary(weights, found)

    def gradients(self, weights: DenseWeights, batch: Tensor, share: float) -> float:
        """Leave a batch's gradients in the weights, clipped, and return its loss."""
        for parameter in weights.all:
            parameter.grad = None
        loss = self.loss(weights, batch, share)
        torch.autograd.backward(loss)
        with torch.no_grad():
            gradient = weights.decoder.grad
            assert gradient is not None
            # What would change a row's length is undone by `settle`, but would still enter Adam's moments.
            gradient -= (gradient * weights.decoder).sum(1, keepdim=True) * weights.decoder
            if self.clip:
                torch.nn.utils.clip_grad_norm_(weights.all, self.clip)
        return loss.item()


class Encoding(NamedTuple):
    """x [B, C] = (frames - offset) @ encoder.T + bias."""

    encoder: Tensor
    """[C, D]."""
    bias: Tensor
    """[C]."""


def above_thresholds(encoding: Encoding, thresholds: Tensor, weights: DenseWeights, found: Scaled) -> Dictionary:
    """The dictionary whose features are x where it is above a threshold [C] of its own, and 0 elsewhere.

    Decoder and offset are those of the weights. Each feature is multiplied by the median threshold and divided by its
    own, so that the median holds for all, and rows of the decoder the other way round.
    """
    own = thresholds.clamp(min=LEAST)
    shared = own.median()
    by = shared / own
    return found.dictionary(
        array((encoding.encoder * by[:, None]).T),
        array(encoding.bias * by),
        array(weights.decoder / by[:, None]),
        Activation.THRESHOLD,
        offset=array(weights.offset),
        threshold=shared.item(),
    )


def array(tensor: Tensor) -> np.ndarray[Any, np.dtype[np.float32]]:
    """A tensor's values."""
    return tensor.detach().numpy()
