"""Sparse autoencoders whose few active features are chosen by their size: TopK and BatchTopK.

    x = (frames - offset) @ encoder.T + bias;  z = the largest of max(x, 0), 0 elsewhere;  frames ~ z @ decoder + offset

TopK (Gao et al., arXiv 2406.04093) keeps the k largest of each frame; BatchTopK (Bussmann et al., arXiv 2412.06410) the
k B largest of a batch of B frames. Gradients are written by hand: with few features active, the products over all C are
sums over the active ones. Letters of shapes: `B` frames, `D` width of the latents, `C` features.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from earwitness.explaining.checkpoints import Kept
from earwitness.explaining.latents import directions
from earwitness.explaining.selection import ABOVE_ZERO, RowsLargest, compiled
from earwitness.explaining.training import Plan, train

Choice = Callable[[np.ndarray, int], np.ndarray]
"""From pre-activations [B, C], which it may reorder, and k to the least value [B, 1] or [1, 1] that stays active."""


def of_frame(pre: np.ndarray, k: int) -> np.ndarray:
    """TopK: the k-th largest pre-activation [B, 1] of each frame of [B, C]; training finds them by `RowsLargest`.

    >>> of_frame(np.array([[1.0, 5.0, 3.0]]), 2).tolist()
    [[3.0]]
    """
    at = pre.shape[1] - min(k, pre.shape[1])
    pre.partition(at, axis=1)
    return np.asarray(pre[:, at, None])


def of_batch(pre: np.ndarray, k: int) -> np.ndarray:
    """BatchTopK: the (k B)-th largest pre-activation [1, 1] of a batch [B, C].

    >>> of_batch(np.array([[1.0, 5.0, 3.0], [0.0, 0.5, 0.2]]), 1).tolist()
    [[3.0]]
    """
    flat = pre.reshape(-1)
    at = pre.size - min(k * len(pre), pre.size)
    flat.partition(at)
    return np.asarray(flat[at]).reshape(1, 1)


class Codes(NamedTuple):
    """Features [B, C] in compressed rows, without the checks of scipy's matrices, which cost as much as a product."""

    data: np.ndarray
    """Active values, frame after frame."""
    indices: np.ndarray
    """Their columns, in order within a frame."""
    indptr: np.ndarray
    """Where each frame starts, and the end [B + 1]."""
    shape: tuple[int, int]

    def matrix(self) -> csr_matrix:
        """The same as scipy's matrix."""
        return csr_matrix((self.data, self.indices, self.indptr), shape=self.shape)

    def toarray(self) -> np.ndarray:
        """The same, dense [B, C]."""
        return np.asarray(self.matrix().toarray())


class Selector:
    """Chooses active features; keeps its buffers from batch to batch, since fresh memory costs more than the choice."""

    def __init__(self, k: int, choice: Choice) -> None:
        self._k, self._choice = k, choice
        self._largest = RowsLargest(k)
        self._scratch = np.empty((0, 0), dtype=np.float32)
        self._kept = np.empty((0, 0), dtype=np.bool_)

    def __call__(self, pre: np.ndarray) -> Codes:
        """Features [B, C] of pre-activations: those chosen that are above 0."""
        rows, features = pre.shape
        if self._choice is of_frame:
            return Codes(*self._largest(pre), shape=(rows, features))
        if self._scratch.shape != pre.shape:
            self._scratch, self._kept = np.empty_like(pre), np.empty(pre.shape, dtype=np.bool_)
        np.copyto(self._scratch, pre)
        least = np.maximum(self._choice(self._scratch, self._k), ABOVE_ZERO)
        found = np.flatnonzero(np.greater_equal(pre, least, out=self._kept))
        starts = np.searchsorted(found, np.arange(rows + 1) * features).astype(np.int32)
        columns = (found - np.repeat(np.arange(rows) * features, np.diff(starts))).astype(np.int32)
        return Codes(pre.ravel()[found], columns, starts, shape=(rows, features))


class Gradients(NamedTuple):
    """Of the mean squared error, by parameter."""

    encoder: np.ndarray
    """[C, D]."""
    bias: np.ndarray
    """[C]."""
    decoder: np.ndarray
    """[C, D]."""


def backward(codes: Codes, frames: np.ndarray, target: np.ndarray, decoder: np.ndarray) -> tuple[np.ndarray, Gradients]:
    """What features [B, C] of frames [B, D] make of a target, less the target, [B, D]; gradients of its mean square.

    Only active features enter: B k D operations for each of the four products, where dense ones need B C D.
    """
    residual, back = np.empty_like(target), np.empty_like(target)
    scale = np.float32(2 / residual.size)
    compiled(left_over)(codes.indptr, codes.indices, codes.data, decoder, target, scale, (residual, back))
    values = _at(codes, back, decoder)
    bias = np.bincount(codes.indices, values, codes.shape[1]).astype(np.float32)
    found = Gradients(np.zeros_like(decoder), bias, np.zeros_like(decoder))
    add = compiled(add_transposed)
    add(codes.indptr, codes.indices, values, frames, found.encoder)
    add(codes.indptr, codes.indices, codes.data, back, found.decoder)
    return residual, found


def left_over(
    starts: np.ndarray,
    columns: np.ndarray,
    values: np.ndarray,
    decoder: np.ndarray,
    target: np.ndarray,
    scale: np.float32,
    filled: tuple[np.ndarray, np.ndarray],
) -> None:
    """Fill S @ decoder - target [B, D], for S [B, C] in compressed rows, and the same times a scale.

    Feature after feature, each product rounded before it is added, as scipy does on x86: the bits are the same.
    """
    residual, scaled = filled
    for row in range(len(starts) - 1):
        for place in range(target.shape[1]):
            residual[row, place] = 0
        for at in range(starts[row], starts[row + 1]):
            column, value = columns[at], values[at]
            for place in range(target.shape[1]):
                residual[row, place] += value * decoder[column, place]
        for place in range(target.shape[1]):
            residual[row, place] -= target[row, place]
            scaled[row, place] = residual[row, place] * scale


def add_transposed(
    starts: np.ndarray, columns: np.ndarray, values: np.ndarray, given: np.ndarray, sums: np.ndarray
) -> None:
    """Add S.T @ given [B, D] to sums [C, D], for S [B, C] in compressed rows.

    Frame after frame, each product rounded before it is added, as scipy does on x86: the bits are the same, without
    the transposed matrix that scipy builds and checks first.
    """
    for row in range(len(starts) - 1):
        for at in range(starts[row], starts[row + 1]):
            column, value = columns[at], values[at]
            for place in range(given.shape[1]):
                sums[column, place] += value * given[row, place]


def _at(codes: Codes, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Entries of left [B, D] @ right.T [D, C] where features [B, C] are active, in their order."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # torch calls its sparse tensors a beta
        starts, columns, values = (torch.from_numpy(part) for part in (codes.indptr, codes.indices, codes.data))
        pattern = torch.sparse_csr_tensor(starts, columns, values, codes.shape, check_invariants=False)
        found = torch.sparse.sampled_addmm(pattern, torch.from_numpy(left), torch.from_numpy(right).T, beta=0.0)
        return np.asarray(found.values())


@dataclass
class SparseAutoencoder:
    """Parameters of a TopK or BatchTopK autoencoder of frames with mean 0, and its training.

    The decoder starts as unit directions drawn from the seed, its rows keep length 1, the encoder starts as its
    transpose, and bias and offset at 0. A feature that was not active in the last `patience` frames is dead: dead
    features are trained to reconstruct what the others leave over, the `revived` largest of each frame (the auxiliary
    loss of Gao et al.).
    """

    features: int
    width: int
    k: int
    seed: int
    choice: Choice = of_frame
    revived: int = 0
    """Dead features that are active in a frame; 0: half the width, as published."""
    weight: float = 1 / 32
    """Of the auxiliary loss, as published."""
    patience: int = 0
    """Frames; 0: as many as a training set has."""
    clip: float = 1.0
    """Largest norm of the gradients of all parameters together, of the squared error summed over latents and averaged
    over frames, as in dictionary_learning and SAELens; 0: no largest."""
    dead: int = field(init=False, default=0)
    """Features that were dead at the last step."""

    def __post_init__(self) -> None:
        drawn = directions(self.features, self.width, self.seed)
        self.encoder = torch.from_numpy(drawn.copy())
        self.bias = torch.zeros(self.features)
        self.decoder = torch.from_numpy(drawn)
        self.offset = torch.zeros(self.width)
        self._idle = np.zeros(self.features, dtype=np.int64)
        self._select = Selector(self.k, self.choice)
        self._select_dead = Selector(self.revived or max(1, self.width // 2), of_frame)
        self._pre = torch.empty(0, self.features)

    def fit(self, frames: np.ndarray, plan: Plan) -> SparseAutoencoder:
        """Train on frames [T, D]; returns itself."""
        if not self.patience:
            self.patience = len(frames)
        with torch.no_grad():
            train(self.parameters, frames, self.step, plan, self.seed, self.settle, self._kept)
        return self

    @property
    def _kept(self) -> Kept:
        settings = (self.k, self.choice.__qualname__, self.revived, self.weight, self.patience, self.clip)
        return Kept(f"sparse {settings}", [self._idle])

    @property
    def parameters(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What is trained: encoder [C, D], bias [C], decoder [C, D], offset [D]."""
        return self.encoder, self.bias, self.decoder, self.offset

    def pre(self, frames: Tensor) -> np.ndarray:
        """Pre-activations [B, C] of frames [B, D]; the next call overwrites them."""
        if len(self._pre) != len(frames):
            self._pre = torch.empty(len(frames), self.features)
        bias = torch.addmv(self.bias, self.encoder, self.offset, alpha=-1)
        return torch.addmm(bias, frames, self.encoder.T, out=self._pre).numpy()

    def codes(self, frames: Tensor) -> csr_matrix:
        """Features [B, C] of frames [B, D], chosen as in training."""
        return self._select(self.pre(frames)).matrix()

    def step(self, batch: Tensor) -> float:
        """Leave gradients of the loss of a batch [B, D] in the parameters; returns its mean squared error."""
        frames, pre = (batch - self.offset).numpy(), self.pre(batch)
        codes = self._select(pre)
        residual, found = backward(codes, frames, frames, self.decoder.numpy())
        self._idle += len(frames)
        self._idle[codes.indices] = 0
        dead = np.flatnonzero(self._idle > self.patience) if self.patience else np.empty(0, dtype=np.int64)
        self.dead = len(dead)
        if len(dead):
            self._revive(dead, pre, frames, residual, found)
        # What would change a row's length is undone by `settle`, but would still enter Adam's moments.
        along = np.einsum("cd,cd->c", found.decoder, self.decoder.numpy())
        straight = found.decoder - along[:, None] * self.decoder.numpy()
        # The offset is added to what features make, and taken from what they are made of.
        offset = residual.sum(0) * np.float32(2 / residual.size) - found.bias @ self.encoder.numpy()
        gradients = (found.encoder, found.bias, straight, offset)
        share = self._clipped(gradients)
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = torch.from_numpy(gradient * share)
        return float(np.vdot(residual, residual) / residual.size)

    def _clipped(self, gradients: tuple[np.ndarray, ...]) -> np.float32:
        """The share of the mean squared error's gradients that a step follows."""
        if not self.clip:
            return np.float32(1)
        # The error is averaged over latents here; summed, its gradients are `width` times as long.
        norm = self.width * math.sqrt(sum(float(np.vdot(gradient, gradient)) for gradient in gradients))
        return np.float32(min(1.0, self.clip / (norm + 1e-6)))

    def settle(self) -> None:
        """Bring the decoder's rows back to length 1."""
        self.decoder /= torch.linalg.vector_norm(self.decoder, dim=1, keepdim=True)

    def _revive(
        self, dead: np.ndarray, pre: np.ndarray, frames: np.ndarray, residual: np.ndarray, found: Gradients
    ) -> None:
        """Add the auxiliary loss's gradients to those found."""
        codes = self._select_dead(pre[:, dead])
        _, extra = backward(codes, frames, -residual, self.decoder.numpy()[dead])
        for gradient, part in zip(found, extra, strict=True):
            gradient[dead] += np.float32(self.weight) * part


def least_active(model: SparseAutoencoder, frames: np.ndarray, batch: int) -> float:
    """Mean over batches of frames [T, D] of the least pre-activation that stays: BatchTopK's threshold at inference.

    Bussmann et al. (arXiv 2412.06410), section 3: with it, a frame's features do not depend on what it is batched with.
    """
    return mean_least(model.codes(part).data for part in torch.split(torch.from_numpy(frames), batch))


def mean_least(batches: Iterable[np.ndarray]) -> float:
    """Mean over batches of the least of the values that stay active in one, in any shape; 0 where none stays anywhere.

    >>> mean_least([np.array([3.0, 1.0]), np.array([]), np.array([5.0])])
    3.0
    """
    least = [float(kept.min()) for kept in batches if kept.size]
    return float(np.mean(least)) if least else 0.0
