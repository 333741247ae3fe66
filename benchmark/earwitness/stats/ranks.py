"""Ranks with their uncertainty: what the verdicts on all pairs of entrants leave possible."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau

if TYPE_CHECKING:
    from earwitness.stats.intervals import Array
    from earwitness.stats.verdicts import Order

Integers = NDArray[np.int64]
NOTHING = 1e-12
"""Differences below it are rounding."""
CHANCE_DRAWS = 400
"""Exchanges of entrants that the interval of an agreement is made of."""
SEED = 0


@dataclass(frozen=True)
class Ranks:
    """Ranks of E entrants, 1 the best."""

    place: Integers
    """[E] the place that an entrant's group shares: 1 more than the entrants of better groups."""
    low: Integers
    """[E] best rank that is not ruled out: 1 more than the entrants that are better."""
    high: Integers
    """[E] worst rank that is not ruled out: E less the entrants that are worse."""
    group: Integers
    """[E] tie group from 1: all of a group are better than all of the next one, and no group can be parted so."""


def ranks(order: Order, scores: Array) -> Ranks:
    """Ranks from the verdicts on all pairs; scores `[E]`, higher is better, only say where groups may be parted."""
    count = len(scores)
    low: Integers = 1 + order.better.sum(axis=0)
    high: Integers = count - order.better.sum(axis=1)
    group, place = np.ones(count, dtype=np.int64), np.ones(count, dtype=np.int64)
    walked = np.argsort(-scores, kind="stable")
    told = order.better[np.ix_(walked, walked)] | np.tri(count, dtype=bool)
    # Of each entrant, the last one below that it is not better than; itself where it is better than all of them.
    untold = count - 1 - np.argmin(told[:, ::-1], axis=1)
    last = np.maximum.accumulate(np.where(told.all(axis=1), np.arange(count), untold))
    for at in range(1, count):
        parted = last[at - 1] < at
        group[walked[at]] = group[walked[at - 1]] + parted
        place[walked[at]] = at + 1 if parted else place[walked[at - 1]]
    return Ranks(place, low, high, group)


def first(draws: Array) -> Array:
    """[E] probability of being first: share of bootstrap draws `[R, E]` in which a score is the highest, ties shared.

    Draws in which an entrant has no score (NaN) are left out; NaN where none is left.
    """
    whole = draws[~np.isnan(draws).any(axis=1)]
    if not len(whole):
        return np.full(draws.shape[1], np.nan)
    best = whole >= whole.max(axis=1, keepdims=True) - NOTHING
    found: Array = (best / best.sum(axis=1, keepdims=True)).mean(axis=0)
    return found


def agreement(first: Array, second: Array) -> float:
    """Kendall's tau-b of two scorings `[E]` of the same entrants; NaN where one of them is all ties."""
    return float(kendalltau(first, second).statistic)


def unrelated(first: Array, second: Array, level: float) -> tuple[float, float]:
    """The interval in which Kendall's tau lies where the entrants of the second scoring `[E]` are named at random.

    >>> [round(end, 3) for end in unrelated(np.arange(3), np.arange(3), 0.95)]
    [-1.0, 1.0]
    """
    random = np.random.default_rng(SEED)
    found = [agreement(first, random.permutation(second)) for _ in range(CHANCE_DRAWS)]
    low, high = np.nanquantile(found, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def chance(first: Array, second: Array, group: Integers, clusters: Integers, level: float) -> tuple[float, float]:
    """The interval in which Kendall's tau of two scorings lies where the entrants of each tie group are truly tied.

    first and second are scores of items `[N, E]` of clusters `[N]`; entrants of a group `[E]` change names cluster by
    cluster, in both scorings at once, as those that are tied may. NaN where no group has two entrants, or all scores
    are ties.
    """
    sizes = np.bincount(group)
    if sizes.max(initial=0) < 2:
        return float("nan"), float("nan")
    random = np.random.default_rng(SEED)
    count = int(clusters.max()) + 1
    rows = np.arange(len(first))[:, None]
    found = []
    for _ in range(CHANCE_DRAWS):
        # Sorted by group first, entrants of one group are shuffled among themselves.
        drawn = np.argsort(group[None, :] + random.random((count, len(group))), axis=1)
        own = np.argsort(group, kind="stable")
        names = np.empty_like(drawn)
        names[:, own] = drawn
        found.append(agreement(*(side[rows, names[clusters]].mean(axis=0) for side in (first, second))))
    if np.isnan(found).all():
        return float("nan"), float("nan")
    low, high = np.nanquantile(found, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
