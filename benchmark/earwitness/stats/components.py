"""Components of variance: how much of what a value varies by is its item's, the generation noise's, the explainer's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from earwitness.stats.intervals import Array


@dataclass(frozen=True)
class Components:
    """Variances of one value of one item, under one generation seed and one explainer seed."""

    item: float
    generation: float
    """NaN where there is one generation seed."""
    explainer: float
    """NaN where there is one explainer seed."""
    rest: float
    """Of both seeds together; NaN where there are not several of both."""
    generations: int
    explainers: int

    @property
    def shares(self) -> tuple[float, float, float, float]:
        """Of item, generation seed, explainer seed and both seeds together in the sum; NaN where nothing varies."""
        parts = np.array([self.item, self.generation, self.explainer, self.rest])
        total = float(np.nansum(parts))
        if total <= 0:
            return (float("nan"),) * 4
        item, generation, explainer, rest = (parts / total).tolist()
        return item, generation, explainer, rest

    @property
    def reliability(self) -> float:
        """Share of the variance over items, of means over all seeds, that is not the seeds': what another set of seeds
        would correlate with; NaN where there is one seed of each, or nothing varies.
        """
        if not self.generations or not self.explainers:
            return float("nan")
        noise = np.nansum(
            [
                self.generation / self.generations,
                self.explainer / self.explainers,
                self.rest / (self.generations * self.explainers),
            ]
        )
        if np.isnan([self.generation, self.explainer]).all() or self.item + noise <= 0:
            return float("nan")
        return float(self.item / (self.item + noise))


def components(cells: Array) -> Components:
    """Components of variance of values `[N, G, X]` of N items under G generation and X explainer seeds.

    Seeds under which no item has a value (NaN) are left out, then items that lack one. A value is its item's, and
    within the item a generation seed's effect, an explainer seed's, and what both have together: mean squares of a
    balanced layout, seeds nested in items, solved for variances (Searle, Casella and McCulloch 1992, chapter 4);
    estimates below 0 count as 0.

    >>> same_items = components(np.array([[[0.0], [2.0]], [[0.0], [2.0]]]))
    >>> [round(share, 3) for share in same_items.shares[:2]]
    [0.0, 1.0]
    """
    there = ~np.isnan(cells)
    cells = cells[:, there.any(axis=(0, 2))][:, :, there.any(axis=(0, 1))]
    whole = cells[~np.isnan(cells).any(axis=(1, 2))]
    count, generations, explainers = whole.shape
    nothing = float("nan")
    if count < 2 or not whole.size:
        return Components(nothing, nothing, nothing, nothing, generations, explainers)
    mean = whole.mean(axis=(1, 2))
    by_generation = whole.mean(axis=2) - mean[:, None]
    by_explainer = whole.mean(axis=1) - mean[:, None]
    left = whole - mean[:, None, None] - by_generation[:, :, None] - by_explainer[:, None, :]
    both = generations > 1 and explainers > 1
    rest = float((left**2).sum() / (count * (generations - 1) * (explainers - 1))) if both else nothing
    inner = 0.0 if np.isnan(rest) else rest
    of_generation = _inner(by_generation, explainers, inner)
    of_explainer = _inner(by_explainer, generations, inner)
    noise = np.nansum(
        [of_generation / generations, of_explainer / explainers, inner / (generations * explainers)],
    )
    item = max(float(mean.var(ddof=1)) - float(noise), 0.0)
    return Components(item, of_generation, of_explainer, rest, generations, explainers)


def _inner(deviations: Array, others: int, rest: float) -> float:
    """Variance of a seed's effect from deviations [N, S] of the means over the others seeds of the other kind."""
    count, seeds = deviations.shape
    if seeds < 2:
        return float("nan")
    square = float((deviations**2).sum() / (count * (seeds - 1)))
    return max(square - rest / others, 0.0)
