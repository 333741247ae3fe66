"""Dictionaries that nobody trained: random directions, rectified or with the k largest kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from earwitness.explaining.latents import count, directions, scaled
from earwitness.tracks.concept import Activation, Dictionary

if TYPE_CHECKING:
    from earwitness.tracks.concept import ConceptItem


def untrained(
    item: ConceptItem, features: int, seed: int, activation: Activation = Activation.RELU, k: int = 0
) -> Dictionary:
    """A dictionary of unit directions drawn from a seed; its decoder is the encoder transposed, times one number.

    `features` as in `count`, which raises EarwitnessError where they are too many or k cannot be active.
    """
    features = count(item, features, max(k, 1))
    found = scaled(item)
    drawn = directions(features, len(found.offset), seed)
    bias = np.zeros(features)
    same = Dictionary(drawn.T, bias, drawn, np.zeros(len(found.offset)), activation, k=k)
    made = same.decode(same.encode(found.frames))
    # The one number that is fitted, by least squares: else a wide dictionary's output would be too large.
    length = np.vdot(found.frames, made) / max(float(np.vdot(made, made)), 1e-12)
    return found.dictionary(drawn.T, bias, length * drawn, activation, k=k)
