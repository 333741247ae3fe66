"""Latents made fit for training a dictionary on, and the dictionary made fit for the latents as they were.

Letters of shapes: `T` frames, `D` width of the latents, `C` features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from earwitness.errors import EarwitnessError
from earwitness.tracks.concept import Activation, Dictionary

if TYPE_CHECKING:
    from earwitness.tracks.concept import ConceptItem

EXPANSION = 8
"""Features for each latent where a submission does not say how many."""
ROOM = 256 << 20
"""Bytes: the longest frame that a box reads. An explanation with more never arrives."""
CONSTANT = 1e-6
"""A latent whose deviation is below this share of its largest value does not vary beyond rounding."""


@dataclass(frozen=True)
class Scaled:
    """Frames of an item's latents with mean 0 and deviation 1, in each of the D latents or over all of them."""

    frames: np.ndarray
    """[T, D] float32."""
    offset: np.ndarray
    """[D] mean."""
    scale: np.ndarray
    """[D] what centred frames were divided by: each latent's deviation, or the same for all; 1 where nothing varies."""

    def dictionary(
        self,
        encoder: np.ndarray,
        bias: np.ndarray,
        decoder: np.ndarray,
        activation: Activation,
        *,
        offset: np.ndarray | None = None,
        **settings: Any,
    ) -> Dictionary:
        """A dictionary of the latents as they were, from encoder [D, C], bias [C], decoder [C, D] of scaled frames.

        `offset` [D] is what it takes from scaled frames and adds to what it makes of them; without one, nothing.
        """
        moved = self.offset if offset is None else self.offset + self.scale * offset
        return Dictionary(
            (encoder / self.scale[:, None]).astype(np.float32),
            bias.astype(np.float32),
            (decoder * self.scale).astype(np.float32),
            moved.astype(np.float32),
            activation,
            **settings,
        )


def scaled(item: ConceptItem, *, alike: bool = False) -> Scaled:
    """Training frames of an item, centred and scaled; raises EarwitnessError where there are none or one is no number.

    Each latent is divided by its own deviation, or, where `alike`, all by the root of their mean variance: then a
    squared error of scaled frames is that of the latents, as the fraction of variance unexplained counts it.

    >>> from types import SimpleNamespace
    >>> found = scaled(SimpleNamespace(id="x", train=np.array([[[1.0, 7.0], [3.0, 7.0]]])))
    >>> found.frames.tolist(), found.offset.tolist(), found.scale.tolist()
    ([[-1.0, 0.0], [1.0, 0.0]], [2.0, 7.0], [1.0, 1.0])
    >>> scaled(SimpleNamespace(id="x", train=np.array([[[1.0, 0.0], [3.0, 14.0]]])), alike=True).scale.tolist()
    [5.0, 5.0]
    """
    frames = item.train.reshape(-1, item.train.shape[-1]).astype(np.float64)
    if not len(frames):
        raise EarwitnessError(f"{item.id}: no training latents; give clips of at least one latent frame")
    bad = int((~np.isfinite(frames)).sum())
    if bad:
        raise EarwitnessError(f"{item.id}: {bad} of {frames.size} training latents are NaN or infinite; mend the model")
    offset, deviation = frames.mean(0), frames.std(0)
    varies = deviation > CONSTANT * np.abs(frames).max(0)
    centred = np.where(varies, frames - offset, 0)
    if alike:
        deviation = np.full_like(deviation, np.sqrt(np.square(centred).mean()))
        varies[:] = varies.any()
    scale = np.where(varies, deviation, 1.0)
    return Scaled((centred / scale).astype(np.float32), offset, scale)


def count(item: ConceptItem, features: int, k: int = 1) -> int:
    """Features C of each of an item's dictionaries: `features`, or 8 for each latent where it is 0.

    Raises EarwitnessError where k of them cannot be active, or where an item's dictionaries do not fit a box's frame.

    >>> from types import SimpleNamespace
    >>> count(SimpleNamespace(id="x", train=np.zeros((1, 1, 48)), explainer_seeds=(0, 1)), 0)
    384
    """
    width = item.train.shape[-1]
    found = features or EXPANSION * width
    if not 1 <= k <= found:
        raise EarwitnessError(f"k must lie in 1 to the {found} features of the dictionary; found {k}: lower k")
    # A 64th of the frame is left to its header.
    room = (ROOM - ROOM // 64) // (4 * len(item.explainer_seeds))
    most = (room - width) // (2 * width + 1)
    if found > most:
        raise EarwitnessError(
            f"{item.id}: {len(item.explainer_seeds)} dictionaries of {found} features are over the "
            f"{ROOM >> 20} MiB that a box answers with; lower features to at most {most}"
        )
    return found


def directions(features: int, width: int, seed: int) -> np.ndarray:
    """[C, D] float32 unit directions drawn uniformly from a seed: what every dictionary here starts from."""
    drawn = np.random.default_rng(seed).normal(size=(features, width))
    unit: np.ndarray = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return unit.astype(np.float32)
