"""Calibration: 0 is the random explainer, 1 is the ceiling, on that task; and when that says nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from earwitness.stats.intervals import DEFAULT, Array, Interval, Resampling, Statistic, interval, mean_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

Direction = Literal["higher", "lower", "none"]


@dataclass(frozen=True)
class Scale:
    """The two ends of a metric on a task."""

    floor: Interval
    """Of the random explainer, scalar."""
    ceiling: Interval
    """Of the best explanation known, scalar."""
    informative: bool
    """Whether the ceiling lies on the faithful side of the floor and their intervals do not touch."""


def touch(first: Interval, second: Interval) -> bool:
    """Whether two scalar intervals share a point; an interval without ends touches everything."""
    ends = [first.low, first.high, second.low, second.high]
    if np.isnan(ends).any():
        return True
    return bool(first.low <= second.high and second.low <= first.high)


def scale(floor: Interval, ceiling: Interval, direction: Direction) -> Scale:
    """The scale between floor and ceiling.

    A metric whose ceiling cannot be told from its floor, or lies on the wrong side of it, is uninformative on the task.
    """
    ahead = float(ceiling.value - floor.value) * {"higher": 1, "lower": -1, "none": 0}[direction]
    return Scale(floor, ceiling, informative=ahead > 0 and not touch(floor, ceiling))


def calibrated(
    values: Array,
    floor: Array,
    ceiling: Array,
    clusters: NDArray[np.int64],
    far_ceiling: Statistic | None = None,
) -> Statistic:
    """The statistic (v - floor) / (ceiling - floor) of means over items, for values `[N, E]` of E entrants.

    floor `[N]` and ceiling `[N]` belong to the same items and are resampled with them; NaN marks items without a
    ceiling, which the denominator leaves out. Where a ceiling is known for other items only, far_ceiling is its mean.
    """
    count = int(clusters.max()) + 1
    rise = mean_of(values - floor[:, None], clusters, count)
    base = mean_of(floor[:, None], clusters, count)
    range_ = mean_of((ceiling - floor)[:, None], clusters, count)

    def statistic(weight: Array) -> Array:
        span = range_(weight) if far_ceiling is None else far_ceiling(weight) - base(weight)
        with np.errstate(invalid="ignore", divide="ignore"):
            shares: Array = rise(weight) / span
        return shares

    return statistic


def shares(values: Array, floor: Array, ceiling: Array, far_ceiling: float | None = None) -> Array:
    """[N, E] what each item adds to the calibrated values of E entrants: their means over items are these values.

    A calibrated value is a ratio of means; it is linearised in the items, so that what the scale itself adds to its
    uncertainty is there (the delta method). Items without a value add nothing. Arguments as in `calibrated`, the far
    ceiling as a number.
    """
    rise = values - floor[:, None]
    span = (ceiling if far_ceiling is None else np.full(len(floor), far_ceiling)) - floor
    known = np.asarray(~np.isnan(span))
    count, range_ = len(floor), float(span[known].mean()) if known.any() else float("nan")
    present: NDArray[np.bool_] = ~np.isnan(rise)
    with np.errstate(invalid="ignore", divide="ignore"):
        parts = np.where(present, rise, 0.0) * (count / present.sum(axis=0)) / range_
        tilt = np.where(known, span, 0.0) * (count / known.sum()) / range_ - 1
    linear: Array = parts - parts.mean(axis=0) * tilt[:, None] * present.any(axis=1, keepdims=True)
    return linear


def calibrated_interval(
    values: Array, floor: Array, ceiling: Array, clusters: NDArray[np.int64], sampling: Resampling = DEFAULT
) -> Interval:
    """Interval of calibrated values `[E]`: entrants, floor and ceiling are resampled together."""
    return interval(
        calibrated(values, floor, ceiling, clusters), int(clusters.max()) + 1, sampling, np.bincount(clusters)
    )
