"""What a dictionary makes of an item's latents: features of frames and of clips, and latents rebuilt from them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from earwitness.metrics.responses.concept import Pooling
    from earwitness.scoring.concept.held_out import HeldOut
    from earwitness.tracks.concept import ConceptItem, Dictionary

CELLS = 20_000_000
"""Activations that are held at once."""


class Features:
    """A dictionary's features of an item."""

    def __init__(self, item: ConceptItem, held_out: HeldOut, dictionary: Dictionary) -> None:
        self.item = item.id
        self.dictionary = dictionary
        self.train = item.train
        self.test = held_out.latents
        self._traced = held_out.traced
        self._of_clips: dict[Pooling, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}

    @property
    def train_means(self) -> NDArray[np.float64]:
        """[n, C] of each training clip, mean over its frames."""
        return self.of_clips("mean")[0]

    @property
    def test_means(self) -> NDArray[np.float64]:
        """[m, C] of each held-out clip, mean over its frames."""
        return self.of_clips("mean")[1]

    def of_clips(self, pooling: Pooling) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """[n, C] of each training clip and [m, C] of each held-out one, pooled over its frames."""
        if pooling not in self._of_clips:
            self._of_clips[pooling] = self.pooled(self.train, pooling), self.pooled(self.test, pooling)
        return self._of_clips[pooling]

    @cached_property
    def traced_means(self) -> NDArray[np.float64] | None:
        """[B, T, C] of the clean latents that each step of traced generations predicts; None where none is traced."""
        if self._traced is None:
            return None
        clips, steps, *frame = self._traced.shape
        return self.pooled(self._traced.reshape(clips * steps, *frame), "mean").reshape(clips, steps, -1)

    @cached_property
    def frames(self) -> NDArray[np.float32]:
        """[N, C] of held-out frames, every so many of them where all would be too many."""
        return self.dictionary.encode(self.some_latents).astype(np.float32)

    @cached_property
    def some_latents(self) -> NDArray[np.float32]:
        """[N, D] the latents that `frames` are of."""
        return thinned(self.test, self.dictionary.features)

    @property
    def rebuilt(self) -> NDArray[np.float64]:
        """[N, D] what the dictionary makes of `some_latents`."""
        return self.dictionary.decode(self.frames.astype(np.float64))

    @cached_property
    def seen(self) -> NDArray[np.float32]:
        """[N', C] features of training frames and held-out ones together, thinned alike."""
        train = self.dictionary.encode(thinned(self.train, 2 * self.dictionary.features))
        return np.concatenate([train.astype(np.float32), self.frames])

    def pooled(self, latents: NDArray[np.float32], pooling: Pooling) -> NDArray[np.float64]:
        """Features [n, C] of clips' latents [n, F, D], pooled over their frames."""
        step = max(1, CELLS // (latents.shape[1] * self.dictionary.features))
        parts = []
        for start in range(0, len(latents), step):
            found = self.dictionary.encode(latents[start : start + step])
            parts.append(found.mean(1) if pooling == "mean" else np.sqrt(np.square(found).mean(1)))
        return np.concatenate(parts).astype(np.float64)


def thinned(latents: NDArray[np.float32], features: int) -> NDArray[np.float32]:
    """Frames [N, D] of latents [n, F, D], every so many of them that N times `features` is bounded."""
    flat = latents.reshape(-1, latents.shape[-1])
    every = -(-len(flat) * features // CELLS)
    return flat[:: max(1, every)]
