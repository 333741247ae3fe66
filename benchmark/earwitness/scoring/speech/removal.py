"""Removal: the order in which cells go, and what stands in their place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from earwitness.seeds import derive
from earwitness.tracks.speech import Fill, utterance_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def ranks(scores: NDArray[Any], seed: int) -> NDArray[np.int64]:
    """Rank [...] of each cell of scores [...], 0 for the highest; equal scores in an order drawn from a seed.

    The seed is the item's, so that no entrant gains by how it orders what it cannot tell apart.

    >>> ranks(np.array([0.1, 0.9, 0.5]), 0).tolist()
    [2, 0, 1]
    """
    flat = scores.reshape(-1).astype(np.float64)
    tie = np.random.default_rng(seed).permutation(flat.size)
    order = np.lexsort((tie, -flat))
    placed = np.empty(flat.size, dtype=np.int64)
    placed[order] = np.arange(flat.size)
    return placed.reshape(scores.shape)


def gone(rank: NDArray[np.int64], shares: Sequence[float] | NDArray[np.float64]) -> NDArray[np.bool_]:
    """Masks [Q, ...]: which cells are among the first at each of Q shares.

    >>> gone(np.array([1, 0]), [0.0, 0.5, 1.0]).astype(int).tolist()
    [[0, 0], [0, 1], [1, 1]]
    """
    counts = np.rint(np.asarray(shares) * rank.size).astype(np.int64)
    return np.asarray(rank[None] < counts.reshape(-1, *[1] * rank.ndim))


def without(
    fill: Fill, features: NDArray[np.float32], masks: NDArray[np.bool_], marginal: NDArray[np.float32], seed: int
) -> NDArray[np.float32]:
    """Spectrograms [Q, T, M]: what is left of features [T, M] once the cells of each mask [Q, T, M] are removed.

    `marginal` [P, M]: values of each mel bin at P even quantiles from least to largest, in training speech.
    """
    if fill == Fill.INPAINT:
        return _inpainted(features, masks)
    if fill == Fill.SHUFFLE:
        return _shuffled(features, masks, seed)
    filled = utterance_mean(features) if fill == Fill.MEAN else _drawn(features, marginal, seed)
    return np.where(masks, filled, features)


def _drawn(features: NDArray[np.float32], marginal: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """[T, M], each a draw from the values of its mel bin."""
    where = np.random.default_rng(seed).random(features.shape) * (len(marginal) - 1)
    low = np.minimum(where.astype(np.int64), len(marginal) - 2)
    bins = np.arange(features.shape[1])
    share = (where - low).astype(np.float32)
    drawn: NDArray[np.float32] = marginal[low, bins] * (1 - share) + marginal[low + 1, bins] * share
    return drawn


def _inpainted(features: NDArray[np.float32], masks: NDArray[np.bool_]) -> NDArray[np.float32]:
    """[Q, T, M], removed cells on the line between the nearest that are left of their bin."""
    frames = len(features)
    time = np.arange(frames)[None, :, None]
    before = np.maximum.accumulate(np.where(masks, -1, time), axis=1)
    after = np.minimum.accumulate(np.where(masks, frames, time)[:, ::-1], axis=1)[:, ::-1]
    # With one neighbour alone both are that one; with none, which is told by both, anything will do.
    first = np.where(before < 0, after, before).clip(max=frames - 1)
    last = np.where(after == frames, before, after).clip(min=0)
    bins = np.arange(features.shape[1])
    low, high = features[first, bins], features[last, bins]
    way = ((time - first) / np.maximum(last - first, 1)).astype(np.float32)
    line = np.where((before < 0) & (after == frames), utterance_mean(features), low + way * (high - low))
    return np.where(masks, line, features)


def _shuffled(features: NDArray[np.float32], masks: NDArray[np.bool_], seed: int) -> NDArray[np.float32]:
    """[Q, T, M], the removed cells of each bin in a drawn circle, each with the value of the next."""
    keys = np.random.default_rng(seed).random(features.shape)
    left = np.empty((len(masks), *features.shape), dtype=np.float32)
    for row, mask in zip(left, masks, strict=True):
        circle = np.argsort(np.where(mask, keys, np.inf), axis=0, kind="stable")
        values = np.take_along_axis(features, circle, axis=0)
        count = mask.sum(0)
        place = np.arange(len(features))[:, None]
        following = np.where(place + 1 < count, place + 1, np.where(place < count, 0, place))
        np.put_along_axis(row, circle, np.take_along_axis(values, following, axis=0), axis=0)
    return left


def fill_seed(seed_key: str, item: str, fill: Fill) -> int:
    """Seed of an item's filling."""
    return derive(seed_key, item, "fill", str(fill))


def tie_seed(seed_key: str, item: str) -> int:
    """Seed of the order of an item's equal cells."""
    return derive(seed_key, item, "ties")


def token_seed(seed_key: str, item: str) -> int:
    """Seed of which tokens of an item are drawn, where not all are put to the test."""
    return derive(seed_key, item, "tokens")
