"""Whether values of two entrants are the same but for rounding and noise: other names for one method."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from earwitness.stats.intervals import Array

CORRELATION = 0.98
"""Pearson's, over items, above which two follow each other."""
DIFFERENCE = 0.02
"""Mean absolute difference over items, as a share of the span, up to which two are level."""


def alike(values: Array, other: Array, span: float) -> bool:
    """Whether values `[N]` are those of another entrant `[N]`, by a metric of a span from random to ceiling.

    They must be level and follow each other over items: an entrant that is as good everywhere but by another method is
    level alone, and one that is a constant worse only follows. Where the other hardly varies (a definition has 1 on
    every item), being level is all that can be seen. Items that one of the two lacks are left out; False where fewer
    than three are left.

    >>> alike(np.array([0.1, 0.5, 0.9]), np.array([0.11, 0.5, 0.9]), 1.0)
    True
    >>> alike(np.array([0.49, 0.5, 0.51]), np.array([0.51, 0.5, 0.49]), 0.1)
    False
    """
    both = ~np.isnan(values + other)
    first, second = values[both], other[both]
    if len(first) < 3 or not span > 0 or np.abs(first - second).mean() > DIFFERENCE * span:
        return False
    if second.std() <= DIFFERENCE * span:
        return True
    return bool(first.std() > 0 and np.corrcoef(first, second)[0, 1] > CORRELATION)
