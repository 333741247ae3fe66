"""What a score that is a weighted mean of several parts is made of, and weights under which no part makes it alone.

The share of a part is its covariance with the score over the score's variance (Shorrocks 1982, eq. 12): shares add up
to 1. Equal weights are no equal shares: the part that spreads most decides (Paruolo, Saisana and Saltelli 2013).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from earwitness.stats.intervals import Array

MOST = 0.5
"""Share of a score's variance above which one part is said to make it alone."""
AIM = 0.4
"""Share that weights bring the largest down to: below `MOST`, since items and entrants of other boards differ."""
FEWEST_PARTS = 3
"""With fewer, one part has at least half."""
FEWEST_ENTRANTS = 3
"""With fewer, a spread between entrants is that of a single difference."""
STEPS = 200


def variance_shares(parts: Array, weights: Array | None = None) -> Array:
    """[H] shares of the variance between E entrants of the weighted mean of their parts `[E, H]`; NaN where it has
    none.

    >>> variance_shares(np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 1.0], [2.0, 1.0]])).round(2).tolist()
    [0.8, 0.2]
    """
    scaled = parts * _normed(parts.shape[1], weights)
    centred = scaled - scaled.mean(axis=0)
    score = centred.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Array = centred.T @ score / (score @ score)
    return found


def balanced(parts: Array, aim: float = AIM) -> Array:
    """[H] weights of parts `[E, H]` of E entrants, the nearest to equal ones under which no share exceeds an aim.

    While a part's share is larger, its weight is lowered to where the share is the aim; all add up to 1. Equal weights
    where there are fewer than three parts, or the entrants are too few or too alike to say anything.
    """
    count = parts.shape[1]
    weights: Array = np.full(count, 1 / count)
    if count < FEWEST_PARTS or len(parts) < FEWEST_ENTRANTS or not np.ptp(parts, axis=0).any():
        return weights
    centred = parts - parts.mean(axis=0)
    for _ in range(STEPS):
        found = variance_shares(parts, weights)
        largest = int(np.argmax(found))
        if not found[largest] > aim * (1 + 1e-9):
            break
        others = centred @ np.where(np.arange(count) == largest, 0.0, weights)
        weights[largest] = min(weights[largest], _lowered(centred[:, largest], others, aim))
    return _normed(count, weights)


def _lowered(part: Array, others: Array, aim: float) -> float:
    """The weight c at which c part has a share `aim` of c part + others: the larger root of a quadratic."""
    own, both, rest = float(part @ part), float(part @ others), float(others @ others)
    a, b, c = (1 - aim) * own, (1 - 2 * aim) * both, -aim * rest
    return float((-b + np.sqrt(b * b - 4 * a * c)) / (2 * a))


def _normed(count: int, weights: Array | None) -> Array:
    given = np.ones(count) if weights is None else np.asarray(weights, dtype=np.float64)
    normed: Array = given / given.sum()
    return normed
