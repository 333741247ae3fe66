"""One metric of one variant as the board has it: raw means, ends, and its part of a score where it is calibrated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from earwitness.board.schema import MARKS
from earwitness.stats.calibration import Anchors, Scale, calibrated, shares
from earwitness.stats.intervals import (
    FEWEST_CLUSTERS,
    Array,
    Interval,
    Resampling,
    Statistic,
    interval,
    mean_interval,
    mean_of,
    widened,
)
from earwitness.stats.paired import inflation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from earwitness.board.facts import Ends, MetricFacts
    from earwitness.results.audits import Audit
    from earwitness.results.cube import Cube

Record = dict[str, Any]


@dataclass(frozen=True)
class ScorePart:
    """What one metric adds to scores: a statistic, and its linearisation in the items."""

    statistic: Statistic
    """[R, C] -> [R, E]."""
    items: Array
    """[N, E] what items add; their means are the values."""
    at_worst: Array
    """[N, E] the same with failed values at the worst seen."""


@dataclass(frozen=True)
class MetricSummary:
    """One metric of one variant."""

    facts: MetricFacts
    number: int
    """Place among the measured metrics."""
    raw: Interval
    """[E] means over items."""
    anchors: Anchors
    """Of the items; an end that is known for other items alone is their mean everywhere."""
    marks: Mapping[str, Interval | None]
    """Scalars by kind: the ceiling, and those of `MARKS`."""
    ends: Scale | None = None
    """None without a floor or a ceiling."""
    part: ScorePart | None = None
    """Of a score; None where the task's audit does not call the metric informative."""

    @property
    def informative(self) -> bool | None:
        """What the task's audit says; None where it says nothing."""
        return None if self.ends is None else self.ends.informative


class MetricColumns:
    """Makes the columns of one variant.

    own tells whether the known ends belong to the very items that were measured; ends of other items of the same task
    give a fixed scale whose own uncertainty is not in the calibrated intervals.
    """

    def __init__(self, cube: Cube, ends: Ends, own: bool, audit: Audit | None, sampling: Resampling) -> None:
        self.cube = cube
        self.sampling = sampling
        self.size = int(cube.clusters.max(initial=-1)) + 1
        self._ends = ends
        self._own = own
        self._audit = audit

    def column(self, number: int, facts: MetricFacts) -> MetricSummary:
        """The metric of that place in the cube."""
        cube = self.cube
        raw = self.mean(cube.values[:, :, number].T)
        nothing = np.full(len(cube.items), np.nan)
        floor = nothing if cube.floor is None else cube.values[cube.floor, :, number]
        known = {kind: self._end(kind, facts.id, nothing) for kind in ("ceiling", *MARKS)}
        anchors, top = Anchors(floor, known["ceiling"][0], known["anti"][0]), known["ceiling"][1]
        found = MetricSummary(facts, number, raw, anchors, {kind: mark for kind, (_, mark) in known.items()})
        if cube.floor is None or top is None:
            return found
        audited = None if self._audit is None else self._audit.metrics.get(facts.id)
        informative = None if audited is None else audited.informative
        ends = Scale(at(raw, cube.floor), top, known["anti"][1], informative)
        return replace(found, ends=ends, part=self.part(number, anchors) if informative else None)

    def part(self, number: int, anchors: Anchors) -> ScorePart:
        """What a metric adds to scores between these ends."""
        sides = (self.cube.values, self.cube.values_at_worst)
        value, worst = (shares(side[:, :, number].T, anchors) for side in sides)
        return ScorePart(calibrated(self.cube.values[:, :, number].T, anchors, self.cube.clusters), value, worst)

    def raw_part(self, number: int, sign: int) -> ScorePart:
        """The metric's own values, turned so that higher is more faithful."""
        zeros = np.zeros(len(self.cube.items))
        return self.part(number, Anchors(zeros, zeros + sign, zeros + np.nan))

    def mean(self, values: Array) -> Interval:
        """Of values of items [N, ...], over items."""
        return self.interval(mean_of(values, self.cube.clusters, self.size), values)

    def interval(self, statistic: Statistic, items: Array) -> Interval:
        """Of a statistic that items [N, ...] add to, as wide as crossed clusters make it."""
        found = interval(statistic, self.size, self.sampling, np.bincount(self.cube.clusters))
        if self.cube.crossed is None:
            return found
        factor = inflation(items.reshape(len(items), -1), self.cube.crossed)
        return widened(found, factor.reshape(found.value.shape))

    def shown(self, found: Interval, items: Array) -> Interval:
        """The interval without ends where values of items [N, ...] have too few clusters to carry any."""
        flat = items.reshape(len(items), -1)
        counts = [len(np.unique(self.cube.clusters[~np.isnan(column)])) for column in flat.T]
        few = (np.array(counts) < FEWEST_CLUSTERS).reshape(items.shape[1:])
        low, high = (np.where(few, np.nan, end) for end in (found.low, found.high))
        return Interval(found.value, low, high, found.draws)

    def on_scale_of(self, base: MetricSummary, other: MetricSummary) -> ScorePart:
        """A changed metric's part, over the base's ways from its own floor where no audit calls it informative."""
        if other.part is not None:
            return other.part
        floor = other.anchors.floor
        return self.part(other.number, Anchors(floor, floor + base.anchors.up, floor - base.anchors.down))

    def _end(self, kind: str, metric: str, nothing: Array) -> tuple[Array, Interval | None]:
        """A known end of each item [N], and its mean with an interval."""
        stored = self._ends.get(kind, {}).get(metric, {})
        if not stored:
            return nothing, None
        if self._own:
            column = np.array([stored.get(item, np.nan) for item in self.cube.items])
            if not np.isnan(column).all():
                return column, self.mean(column)
        elsewhere = np.array([stored[item] for item in sorted(stored)])
        found = mean_interval(elsewhere, np.arange(len(elsewhere)), self.sampling)
        return np.full_like(nothing, float(elsewhere.mean())), found


def at(found: Interval, entrant: int) -> Interval:
    """The interval of one entrant."""
    return Interval(found.value[entrant], found.low[entrant], found.high[entrant], found.draws[:, entrant])


def number(value: Any) -> float | None:
    """A finite float, else None."""
    found = float(value)
    return found if np.isfinite(found) else None


def ends_of(name: str, prefix: str, found: Interval | None, entrant: int | None = None) -> Record:
    """Value and ends of an interval as a record, None where there is none."""
    if found is None:
        return {name: None, f"{prefix}low": None, f"{prefix}high": None}
    one = found if entrant is None else at(found, entrant)
    return {name: number(one.value), f"{prefix}low": number(one.low), f"{prefix}high": number(one.high)}
