"""Calibration: 0 is the random explainer, 1 is the ceiling, on that task; and whether that says anything.

Between its ends a calibrated value is linear, so that it is a mean over items. Above the random explainer a step counts
as a share of the way to the ceiling; below it as a share of the longer of two ways, to the ceiling and to the
anti-oracle: so a value lies between -1 and 1 wherever the known ends hold, and a step below the floor never counts for
more than one above it. (The way to the anti-oracle alone may be as short as noise: no audit tests it.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from earwitness.stats.intervals import DEFAULT, Array, Interval, Resampling, Statistic, interval, mean_of
from earwitness.stats.verdicts import Gains, judged

if TYPE_CHECKING:
    from numpy.typing import NDArray

Direction = Literal["higher", "lower", "none"]
LEVEL = 0.04
"""Of the test of a gap. That a metric which tells nothing is called informative in at most 5 % of audits is promised:
what is left is room for gains that are not symmetric, on which sign flips are not exact."""


@dataclass(frozen=True)
class CeilingGap:
    """How much more faithful the ceiling is than the random explainer on the same items."""

    mean: float
    """Paired gain, above 0 where the ceiling is more faithful; NaN where no item has both."""
    low: float
    """Ends of an interval that leaves out 0 from below exactly where the gap is told; infinite where the items set no
    end."""
    high: float
    p: float
    """One-sided, of a paired sign-flip test on clusters; 1 where no item has both."""
    items: int
    clusters: int

    @property
    def informative(self) -> bool:
        """Whether the gap is told from chance."""
        return self.p < LEVEL


def ceiling_gap(ceiling: Array, floor: Array, clusters: NDArray[np.int64], direction: Direction) -> CeilingGap:
    """The paired gap of ceiling over floor, values `[N]` of items of clusters `[N]`, or `[N, W]` crossed; NaN is left
    out.

    This decides, once and when a task is audited, whether a metric is informative there: unpaired intervals that touch
    miss what a paired test sees, and a test on the items of a board would let the items decide what a score is made of.
    A metric without a direction is never informative.
    """
    gains = (ceiling - floor) * {"higher": 1, "lower": -1, "none": 0}[direction]
    # Both sides of one comparison are judged: a one-sided test has half their level.
    found = judged(Gains.of(gains[:, None]), clusters, level=2 * LEVEL)
    mean, two_sided = float(found.effect[0]), float(found.p[0])
    p = 1.0 if np.isnan(two_sided) else two_sided / 2 if mean > 0 else 1 - two_sided / 2
    return CeilingGap(mean, float(found.low[0]), float(found.high[0]), p, int(found.items[0]), int(found.clusters[0]))


@dataclass(frozen=True)
class Scale:
    """The ends of a metric on a task."""

    floor: Interval
    """Of the random explainer, scalar."""
    ceiling: Interval
    """Of the best explanation known, scalar."""
    anti: Interval | None
    """Of the worst explanation known, scalar; None where none is stored."""
    informative: bool | None
    """What the task's audit says; None where it says nothing."""

    def place(self, value: float) -> float:
        """Where a value lies: 0 at the floor, 1 at the ceiling."""
        base = float(self.floor.value)
        up = float(self.ceiling.value) - base
        down = float("nan") if self.anti is None else base - float(self.anti.value)
        return float(_part(np.array(value - base), np.array(up), np.array(down)))


@dataclass(frozen=True)
class Anchors:
    """Values `[N]` of the known ends on the items that are calibrated; NaN where one is not known."""

    floor: Array
    ceiling: Array
    anti: Array

    @property
    def up(self) -> Array:
        """[N] the way from floor to ceiling."""
        return self.ceiling - self.floor

    @property
    def down(self) -> Array:
        """[N] the way from anti-oracle to floor."""
        return self.floor - self.anti


def calibrated(values: Array, ends: Anchors, clusters: NDArray[np.int64]) -> Statistic:
    """The statistic "calibrated mean" of values `[N, E]` of E entrants whose ends are of the same items.

    What is calibrated is the mean over items, by the means of the ends, which are resampled with it.
    """
    count = int(clusters.max()) + 1
    rise = mean_of(values - ends.floor[:, None], clusters, count)
    up, down = (mean_of(way[:, None], clusters, count) for way in (ends.up, ends.down))

    return lambda weight: _part(rise(weight), up(weight), down(weight))


def shares(values: Array, ends: Anchors) -> Array:
    """[N, E] what each item adds to the calibrated values of E entrants: their means over items are these values.

    A calibrated value is a ratio of means; it is linearised in the items, so that what the scale itself adds to its
    uncertainty is there (the delta method). An entrant's side of the floor is that of its mean. Items without a value
    add nothing. Arguments as in `calibrated`.
    """
    rise = values - ends.floor[:, None]
    above = _above(_mean(rise), _mean(ends.up), _mean(ends.down))
    return np.where(above, _linear(rise, ends.up), _linear(rise, ends.down))


def _part(rise: Array, up: Array, down: Array) -> Array:
    """A mean rise over the floor as a share of the way that counts on its side; NaN where that has no length."""
    way = np.where(_above(rise, up, down), up, down)
    with np.errstate(invalid="ignore"):
        share: Array = rise / np.where(way == 0, np.nan, way)
    return share


def _above(rise: Array, up: Array, down: Array) -> Array:
    """Whether a rise over the floor is counted by the way up: it points there, or that is the longer way."""
    with np.errstate(invalid="ignore"):
        longer = (np.sign(down) == np.sign(up)) & (np.abs(down) > np.abs(up))
        return np.asarray((rise * np.sign(up) >= 0) | ~longer)


def _mean(values: Array) -> Array:
    """Means of columns over what is there; NaN where nothing is."""
    present = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        mean: Array = np.where(present, values, 0.0).sum(axis=0) / present.sum(axis=0)
    return mean


def _linear(rise: Array, way: Array) -> Array:
    """[N, E] what items add to mean(rise `[N, E]`) / mean(way `[N]`)."""
    count, known = len(way), ~np.isnan(way)
    length = (float(way[known].mean()) if known.any() else 0.0) or float("nan")
    present: NDArray[np.bool_] = ~np.isnan(rise)
    with np.errstate(invalid="ignore", divide="ignore"):
        parts = np.where(present, rise, 0.0) * (count / present.sum(axis=0)) / length
        tilt = np.where(known, way, 0.0) * (count / known.sum()) / length - 1
    linear: Array = parts - parts.mean(axis=0) * tilt[:, None] * present.any(axis=1, keepdims=True)
    return linear


def calibrated_interval(
    values: Array, ends: Anchors, clusters: NDArray[np.int64], sampling: Resampling = DEFAULT
) -> Interval:
    """Interval of calibrated values `[E]`: entrants and ends are resampled together."""
    return interval(calibrated(values, ends, clusters), int(clusters.max()) + 1, sampling, np.bincount(clusters))
