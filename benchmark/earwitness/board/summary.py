"""From measured values to the board's numbers: means, calibrated values, ranks, and whether they survive a change."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from earwitness.board.schema import MARKS
from earwitness.stats.calibration import Scale, calibrated, scale, shares
from earwitness.stats.intervals import (
    DEFAULT,
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
from earwitness.stats.ranks import Ranks, agreement, chance, first, ranks
from earwitness.stats.verdicts import order

if TYPE_CHECKING:
    from collections.abc import Mapping

    from earwitness.board.facts import Ends, MetricFacts
    from earwitness.results.cube import Cube

Record = dict[str, Any]


@dataclass(frozen=True)
class MetricSummary:
    """One metric of one variant: its numbers, and its calibrated value as a statistic that others build on."""

    facts: MetricFacts
    number: int
    """Place among the measured metrics."""
    raw: Interval
    """[E] means over items."""
    floor: Array
    """[N] NaN where there is no floor."""
    ceiling: Array
    """[N] NaN where there is no ceiling of the item."""
    top: Interval | None
    """Scalar, of the ceiling."""
    ends: Scale | None
    """None without a floor or a ceiling."""
    marks: Mapping[str, Interval | None]
    """Scalars by kind, of `MARKS`."""
    calibrated: Statistic | None
    """[R, C] -> [R, E]; None where the scale is not informative."""
    shares: tuple[Array, Array] | None
    """[N, E] what items add to the calibrated values, and the same with failed values at the worst seen."""


@dataclass(frozen=True)
class _Placings:
    """Scores and ranks of those entrants that have them."""

    entrants: list[int]
    score: Interval
    ranks: Ranks | None
    """None where these items could not tell any two apart."""
    first: Array
    """[E] probability of being first."""
    items: Array
    """[N, E] scores of items, whose means are the scores."""


class Summary:
    """The numbers of one variant of a task.

    own tells whether the known ends belong to the very items that were measured; ends of other items of the same task
    give a fixed scale whose own uncertainty is not in the calibrated intervals.
    """

    def __init__(
        self, cube: Cube, facts: list[MetricFacts], ends: Ends, own: bool, sampling: Resampling = DEFAULT
    ) -> None:
        self.cube = cube
        self.sampling = sampling
        self.size = int(cube.clusters.max(initial=-1)) + 1
        self._ends = ends
        self._own = own
        self.columns = [self._column(number, metric) for number, metric in enumerate(facts)]
        self.headline = [c for c in self.columns if c.facts.headline and c.calibrated is not None]
        self.shortfalls = cube.shortfalls([column.number for column in self.headline])
        """Why each entrant has no score; empty where it has one."""

    def metrics(self) -> list[Record]:
        """A record of each metric: what it is, its ends, whether it is informative."""
        return [self._metric_record(column) for column in self.columns]

    def results(self) -> list[Record]:
        """A record of each entrant and metric."""
        records = []
        for column in self.columns:
            raw = self._shown(column.raw, self.cube.values[:, :, column.number].T)
            shares = None
            if column.calibrated is not None and column.shares is not None:
                shares = self._interval(column.calibrated, column.shares[0])
                shares = self._shown(shares, self.cube.values[:, :, column.number].T)
            for entrant, shortfall in enumerate(self.shortfalls):
                records.append(
                    {
                        "entrant": entrant,
                        "metric": column.facts.id,
                        "n": int((~np.isnan(self.cube.values[entrant, :, column.number])).sum()),
                        "failed": int(self.cube.failed[entrant, :, column.number].sum()),
                        **_ends_of("mean", "", raw, entrant),
                        **_ends_of("calibrated", "calibrated_", None if shortfall else shares, entrant),
                    }
                )
        return records

    def ranks(self) -> list[Record]:
        """A record of each entrant: its headline score and rank, or none where no headline metric is informative.

        Who did not run all items, or lacks a headline metric, has none either, and a note that says so. Nobody has a
        rank where not even the same gain on every item would be told.
        """
        found = self.placings
        return [
            {
                "entrant": entrant,
                **_placing(found, entrant),
                "items": int(self.cube.ran[entrant].sum()),
                "failed": int(self.cube.lost[entrant].sum()),
                "note": shortfall,
            }
            for entrant, shortfall in enumerate(self.shortfalls)
        ]

    @cached_property
    def placings(self) -> _Placings | None:
        """Scores and ranks by the headline; None where nobody has one."""
        return self._ranked(self.headline, self.shortfalls)

    def changes(self) -> list[Record]:
        """A record of each entrant under each change of the headline's parameters, with Kendall's tau to the headline.

        A change is a parameter that another metric of the card adds to a headline metric's, or has another value of.
        The headline that it is compared with is made of those metrics that the change has, too.
        """
        named: dict[str, list[tuple[MetricSummary, MetricSummary]]] = {}
        for base in self.headline:
            for other in self.columns:
                change = _change(base.facts, other.facts)
                if change:
                    named.setdefault(change, []).append((base, other))
        records = []
        for change, pairs in named.items():
            short = self.cube.shortfalls([column.number for pair in pairs for column in pair])
            short = [first or second for first, second in zip(self.shortfalls, short, strict=True)]
            before = self._ranked([base for base, _ in pairs], short)
            after = self._ranked([self._on_scale_of(base, other) for base, other in pairs], short)
            if before is None or after is None or before.ranks is None:
                continue
            tau = agreement(before.score.value, after.score.value)
            low, high = chance(before.items, after.items, before.ranks.group, self.cube.clusters, self.sampling.level)
            for at, entrant in enumerate(before.entrants):
                records.append(
                    {
                        "change": change,
                        "metrics": ", ".join(other.facts.id for _, other in pairs),
                        "tau": _number(tau),
                        "tau_low": _number(low),
                        "tau_high": _number(high),
                        "entrant": entrant,
                        "rank_before": int(before.ranks.place[at]),
                        **_placing(after, entrant),
                    }
                )
        return records

    def spans(self) -> dict[str, float]:
        """Distance from floor to ceiling of each metric that is calibrated."""
        return {
            column.facts.id: float(column.ends.ceiling.value - column.ends.floor.value)
            for column in self.columns
            if column.ends is not None and column.calibrated is not None
        }

    def _interval(self, statistic: Statistic, items: Array) -> Interval:
        """Of a statistic that items [N, ...] add to, as wide as crossed clusters make it."""
        found = interval(statistic, self.size, self.sampling, np.bincount(self.cube.clusters))
        if self.cube.crossed is None:
            return found
        factor = inflation(items.reshape(len(items), -1), self.cube.crossed)
        return widened(found, factor.reshape(found.value.shape))

    def _shown(self, found: Interval, items: Array) -> Interval:
        """The interval without ends where values of items [N, ...] have too few clusters to carry any."""
        flat = items.reshape(len(items), -1)
        counts = [len(np.unique(self.cube.clusters[~np.isnan(column)])) for column in flat.T]
        few = (np.array(counts) < FEWEST_CLUSTERS).reshape(items.shape[1:])
        low, high = (np.where(few, np.nan, end) for end in (found.low, found.high))
        return Interval(found.value, low, high, found.draws)

    def _mean(self, values: Array) -> Interval:
        return self._interval(mean_of(values, self.cube.clusters, self.size), values)

    def _column(self, number: int, facts: MetricFacts) -> MetricSummary:
        measured = self.cube
        values = measured.values[:, :, number].T
        nothing = np.full(len(measured.items), np.nan)
        raw = self._mean(values)
        floor = nothing if measured.floor is None else values[:, measured.floor]
        ceiling, top, far = self._end("ceiling", facts.id, nothing)
        marks = {kind: self._end(kind, facts.id, nothing)[1] for kind in MARKS}
        if measured.floor is None or top is None:
            return MetricSummary(facts, number, raw, floor, ceiling, top, None, marks, None, None)
        found = scale(_at(raw, measured.floor), top, facts.direction)
        if not found.informative:
            return MetricSummary(facts, number, raw, floor, ceiling, top, found, marks, None, None)
        mean = None if far is None else float(top.value)
        statistic = calibrated(values, floor, ceiling, measured.clusters, far)
        own = self._shares(number, floor, ceiling, mean)
        return MetricSummary(facts, number, raw, floor, ceiling, top, found, marks, statistic, own)

    def _shares(self, number: int, floor: Array, ceiling: Array, far: float | None = None) -> tuple[Array, Array]:
        """What items add to calibrated values of a metric, and the same with failed values at the worst seen.

        On the scale of the metric's direction, the worse is the lower in both.
        """
        sides = (self.cube.values, self.cube.values_at_worst)
        value, worst = (shares(side[:, :, number].T, floor, ceiling, far) for side in sides)
        return value, worst

    def _end(self, kind: str, metric: str, nothing: Array) -> tuple[Array, Interval | None, Statistic | None]:
        """A known end per item [N], its interval, and its mean where it is known for other items only."""
        stored = self._ends.get(kind, {}).get(metric, {})
        if not stored:
            return nothing, None, None
        if self._own:
            column = np.array([stored.get(item, np.nan) for item in self.cube.items])
            if not np.isnan(column).all():
                return column, self._mean(column), None
        elsewhere = np.array([stored[item] for item in sorted(stored)])
        mean = float(elsewhere.mean())
        far: Statistic = lambda weight: np.full((len(weight), 1), mean)  # noqa: E731
        return nothing, mean_interval(elsewhere, np.arange(len(elsewhere)), self.sampling), far

    def _ranked(self, columns: list[MetricSummary], shortfalls: list[str]) -> _Placings | None:
        """Mean of calibrated metrics with its interval, and ranks by it, of the entrants without a shortfall."""
        entrants = [entrant for entrant, shortfall in enumerate(shortfalls) if not shortfall]
        statistics = [column.calibrated for column in columns if column.calibrated is not None]
        own = [column.shares for column in columns if column.shares is not None]
        if not statistics or not entrants:
            return None
        value, worst = (np.mean([side[which][:, entrants] for side in own], axis=0) for which in (0, 1))
        score = self._interval(
            lambda weight: np.mean([statistic(weight)[:, entrants] for statistic in statistics], axis=0), value
        )
        lacking = np.all(value == 0, axis=1, keepdims=True)
        score = self._shown(score, np.where(lacking, np.nan, value))
        judged = order(value, worst, self.cube.ways)
        placed = ranks(judged, score.value) if judged.decidable else None
        return _Placings(entrants, score, placed, first(score.draws), value)

    def _on_scale_of(self, base: MetricSummary, other: MetricSummary) -> MetricSummary:
        """A changed metric with its calibrated value, over the base's span where it has no informative scale itself."""
        if other.calibrated is not None:
            return other
        values = self.cube.values[:, :, other.number].T
        ceiling = other.floor + base.ceiling - base.floor
        if np.isnan(base.ceiling).all() and base.ends is not None:
            ceiling = other.floor + float(base.ends.ceiling.value - base.ends.floor.value)
        return replace(
            other,
            calibrated=calibrated(values, other.floor, ceiling, self.cube.clusters),
            shares=self._shares(other.number, other.floor, ceiling),
        )

    def _metric_record(self, column: MetricSummary) -> Record:
        facts, ends = column.facts, column.ends
        floor = None if self.cube.floor is None else _at(column.raw, self.cube.floor)
        seen = (~np.isnan(self.cube.values[:, :, column.number])).any(axis=0)
        return {
            "metric": facts.id,
            "name": facts.name,
            "direction": facts.direction,
            "range_low": _number(facts.range[0]),
            "range_high": _number(facts.range[1]),
            "summary": facts.summary,
            "headline": facts.headline,
            "informative": None if ends is None else ends.informative,
            "items": int(seen.sum()),
            "clusters": len(np.unique(self.cube.clusters[seen])),
            **_ends_of("floor", "floor_", floor),
            **_ends_of("ceiling", "ceiling_", column.top),
            **{name: value for kind in MARKS for name, value in _ends_of(kind, f"{kind}_", column.marks[kind]).items()},
            **{
                f"{kind}_calibrated": _calibrated(mark, ends)
                for kind, mark in (("ceiling", column.top), *column.marks.items())
            },
        }


def _change(base: MetricFacts, other: MetricFacts) -> str:
    """What other adds to base or has otherwise, as text; empty where it is no change of it."""
    if base.name != other.name or not base.parameters.keys() <= other.parameters.keys():
        return ""
    return ", ".join(f"{key} {value}" for key, value in other.parameters.items() if base.parameters.get(key) != value)


def _at(found: Interval, entrant: int) -> Interval:
    return Interval(found.value[entrant], found.low[entrant], found.high[entrant], found.draws[:, entrant])


def _ends_of(name: str, prefix: str, found: Interval | None, entrant: int | None = None) -> Record:
    """Value and ends of an interval, None where there is none."""
    if found is None:
        return {name: None, f"{prefix}low": None, f"{prefix}high": None}
    at = found if entrant is None else _at(found, entrant)
    return {name: _number(at.value), f"{prefix}low": _number(at.low), f"{prefix}high": _number(at.high)}


def _calibrated(mark: Interval | None, ends: Scale | None) -> float | None:
    """Where a stored value lies between floor (0) and ceiling (1); None where the metric is not calibrated."""
    if mark is None or ends is None or not ends.informative:
        return None
    return _number((mark.value - ends.floor.value) / (ends.ceiling.value - ends.floor.value))


def _placing(found: _Placings | None, entrant: int) -> Record:
    """Rank and score of an entrant, None where it has none."""
    nothing: Record = {"rank": None, "rank_low": None, "rank_high": None, "rank_group": None, "first": None}
    if found is None or entrant not in found.entrants:
        return {**nothing, **_ends_of("score", "score_", None)}
    at, given = found.entrants.index(entrant), found.ranks
    score = _ends_of("score", "score_", found.score, at)
    if given is None:
        return {**nothing, **score}
    fields = {"rank": given.place, "rank_low": given.low, "rank_high": given.high, "rank_group": given.group}
    return {**{name: int(values[at]) for name, values in fields.items()}, "first": _number(found.first[at]), **score}


def _number(value: Any) -> float | None:
    """A finite float, else None."""
    number = float(value)
    return number if np.isfinite(number) else None
