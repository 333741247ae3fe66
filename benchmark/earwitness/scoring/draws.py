"""Arrays at random, as scoring would hand them to a metric: what the files `draws` of several tracks share.

A track's file `draws` has `draw(response, random)`, which gives arrays that fit a response. They are small, and often
what a real item is at times: all equal, tied, empty of any mass, marked everywhere or nowhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

LONGEST = 6
"""Entries along an axis, at most, where no length is given."""
SORTS = ("plain", "plain", "tied", "equal", "none")
"""What weights may be like."""


def length(random: np.random.Generator, least: int = 1) -> int:
    """How long an axis is."""
    return int(random.integers(least, LONGEST, endpoint=True))


def weights(random: np.random.Generator, shape: Sequence[int]) -> NDArray[np.float64]:
    """Weights [...] in [0, 1): of any size, or in tenths, or all equal, or all 0."""
    drawn = random.random(shape)
    match random.choice(SORTS):
        case "tied":
            return np.floor(10 * drawn) / 10
        case "equal":
            return np.full(shape, drawn.flat[0])
        case "none":
            return np.zeros(shape)
    return drawn


def marks(random: np.random.Generator, shape: Sequence[int]) -> NDArray[np.bool_]:
    """What is true [...]: any share of it, and in some draws all or none."""
    return np.asarray(random.random(shape) < random.uniform(-0.2, 1.2))


def sparse(random: np.random.Generator, shape: Sequence[int]) -> NDArray[np.float64]:
    """Activations [...] that are not negative, any share of which is 0."""
    return random.exponential(size=shape) * marks(random, shape)
