"""What a set of items can see."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import t

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from earwitness.stats.intervals import Array

POWER = 0.8


def smallest_detectable(error: Array, clusters: NDArray[np.int64], level: Array, power: float = POWER) -> Array:
    """[M] smallest mean that a one-sided test at a level `[M]` tells from 0 with the given power.

    error `[M]` is the mean's standard error over clusters `[M]` in number: the multiplier of Bloom (1995), the sum of
    two quantiles of t. Infinite where even all signs alike (2**-C) do not fall below the level: then nothing can be
    proven, however large.

    >>> smallest_detectable(np.array([0.1, 0.1]), np.array([200, 4]), np.array([0.05, 0.05])).round(4).tolist()
    [0.2496, inf]
    """
    freedom = np.maximum(clusters - 1, 1)
    seen = (t.ppf(1 - level, freedom) + t.ppf(power, freedom)) * error
    return np.where(0.5**clusters < level, seen, np.inf)
