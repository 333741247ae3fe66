"""Calibration: 0 is the random explainer, 1 is the ceiling, on that task; and when that says nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from earwitness.stats.intervals import DEFAULT, Array, Interval, Sampling, Statistic, interval, mean_of

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


def calibrated_interval(
    values: Array, floor: Array, ceiling: Array, clusters: NDArray[np.int64], sampling: Sampling = DEFAULT
) -> Interval:
    """Interval of calibrated values `[E]`: entrants, floor and ceiling are resampled together."""
    return interval(calibrated(values, floor, ceiling, clusters), int(clusters.max()) + 1, sampling)
