"""Ranks with their uncertainty, from scores of entrants on the same bootstrap samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau

if TYPE_CHECKING:
    from earwitness.stats.intervals import Array

Integers = NDArray[np.int64]
NOTHING = 1e-12
"""Differences below it are rounding."""


@dataclass(frozen=True)
class Ranks:
    """Ranks of E entrants, 1 the best."""

    rank: Integers
    """[E] by score; equal scores share the better rank."""
    low: Integers
    """[E] best rank in the interval."""
    high: Integers
    """[E] worst rank in the interval."""
    group: Integers
    """[E] from 1: an entrant opens the next group when the first of the group before is proven better than it."""


def rank(scores: Array) -> Integers:
    """[E] rank of each score, higher is better, equal scores share the better rank.

    >>> rank(np.array([0.1, 0.9, 0.1])).tolist()
    [2, 1, 2]
    """
    better: Integers = 1 + (scores[None, :] - scores[:, None] > NOTHING).sum(axis=1)
    return better


def ranks(scores: Array, draws: Array, level: float = 0.95) -> Ranks:
    """Ranks of scores `[E]` with intervals from bootstrap draws `[R, E]`.

    An entrant's interval runs from 1 + (entrants proven better) to E - (entrants proven worse); its differences to all
    others are judged together by the bootstrap of their largest studentised deviation (Mogstad, Romano, Shaikh and
    Wilhelm 2024, algorithm 3.2). Unlike quantiles of bootstrapped ranks, it covers the true rank among near-ties too.
    Groups compare many pairs, so all pairs are judged together there. Draws in which an entrant has no score (NaN),
    since none of the clusters that have one was drawn, are left out.
    """
    whole = ~np.isnan(draws).any(axis=1)
    draws = draws[whole] if whole.any() else draws
    difference = scores[None, :] - scores[:, None]
    deviation = draws[:, None, :] - draws[:, :, None] - difference
    error = deviation.std(axis=0)
    # What never varies across draws is an exact tie or an exact order: it needs no critical value.
    varies = error > NOTHING
    studentised = np.abs(np.divide(deviation, error, out=np.zeros_like(deviation), where=varies))
    alone = np.quantile(studentised.max(axis=2), level, axis=0)[:, None]
    together = np.quantile(studentised.max(axis=(1, 2)), level)
    better = difference > np.where(varies, alone * error, NOTHING)
    worse = -difference > np.where(varies, alone * error, NOTHING)
    low: Integers = 1 + better.sum(axis=1)
    high: Integers = len(scores) - worse.sum(axis=1)
    return Ranks(rank(scores), low, high, _groups(scores, difference > np.where(varies, together * error, NOTHING)))


def agreement(first: Array, second: Array) -> float:
    """Kendall's tau-b of two scorings `[E]` of the same entrants; NaN where one of them is all ties."""
    return float(kendalltau(first, second).statistic)


def _groups(scores: Array, better: NDArray[np.bool_]) -> Integers:
    """[E] group of each entrant, walking down: the next one opens where the first of the group is proven better.

    better `[E, E]` says in row i which entrants are proven better than i.
    """
    group = np.zeros(len(scores), dtype=np.int64)
    number, first = 0, -1
    for entrant in np.argsort(-scores, kind="stable"):
        if first < 0 or better[entrant, first]:
            number, first = number + 1, int(entrant)
        group[entrant] = number
    return group
