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


def filling(fill: Fill, features: NDArray[np.float32], marginal: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """What stands in each cell [T, M] of a spectrogram [T, M] once it is removed.

    `marginal` [P, M]: values of each mel bin at P even quantiles from least to largest, in training speech.
    """
    if fill == Fill.MEAN:
        return np.asarray(np.broadcast_to(utterance_mean(features), features.shape), dtype=np.float32)
    where = np.random.default_rng(seed).random(features.shape) * (len(marginal) - 1)
    low = np.minimum(where.astype(np.int64), len(marginal) - 2)
    bins = np.arange(features.shape[1])
    share = (where - low).astype(np.float32)
    drawn: NDArray[np.float32] = marginal[low, bins] * (1 - share) + marginal[low + 1, bins] * share
    return drawn


def fill_seed(seed_key: str, item: str, fill: Fill) -> int:
    """Seed of an item's filling."""
    return derive(seed_key, item, "fill", str(fill))


def tie_seed(seed_key: str, item: str) -> int:
    """Seed of the order of an item's equal cells."""
    return derive(seed_key, item, "ties")
