"""From measured values to the board's numbers: means, calibrated values, ranks, and whether they survive a change."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from earwitness.board.columns import MetricColumns, at, ends_of, number
from earwitness.board.placings import placed, placing, shares_of
from earwitness.results.filling import direction
from earwitness.stats.intervals import DEFAULT, Resampling
from earwitness.stats.likeness import alike
from earwitness.stats.ranks import agreement, chance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from earwitness.board.columns import MetricSummary, ScorePart
    from earwitness.board.facts import MetricFacts, TaskFacts
    from earwitness.board.placings import Placings
    from earwitness.results.cube import Cube
    from earwitness.stats.intervals import Array, Interval

Record = dict[str, Any]
CALIBRATED: Literal["calibrated"] = "calibrated"
RAW: Literal["raw"] = "raw"


class Summary:
    """The numbers of one variant of a task; own tells whether its known ends and its audit are of the very items that
    were measured.

    The task's audit says which headline metrics make the score, and what they weigh. Without one, or without ceilings,
    entrants are ranked by the raw value of the task's main metric.
    """

    def __init__(
        self, cube: Cube, facts: list[MetricFacts], task: TaskFacts, own: bool, sampling: Resampling = DEFAULT
    ) -> None:
        self.cube = cube
        self.sampling = sampling
        self._make = MetricColumns(cube, task.ends, own, task.audit, sampling)
        self.size = self._make.size
        self.columns = [self._make.column(place, metric) for place, metric in enumerate(facts)]
        self.ranked_by: Literal["calibrated", "raw"] = CALIBRATED if task.audit and task.ends else RAW
        self.headline = [c for c in self.columns if c.facts.headline and c.part is not None]
        """Metrics that the score is made of; none where entrants are ranked raw."""
        self.weights = _weights(task, [column.facts.id for column in self.headline])
        """[H] what each of them weighs; they add up to 1."""
        main = task.card.main_metric if task.card else ""
        self.main = next((c for c in self.columns if c.facts.id == main and direction(main)), None)
        self._ranking = self.headline if self.ranked_by == CALIBRATED else [self.main] if self.main else []
        self._known: dict[tuple[tuple[int, ...], tuple[int, ...]], Placings | None] = {}
        self.shortfalls = cube.shortfalls([column.number for column in self._ranking])
        """Why each entrant has no score; empty where it has one."""

    @cached_property
    def defined(self) -> dict[int, list[str]]:
        """Metrics of the score, or of the raw rank, that an entrant defines, by entrant: it has no rank."""
        names = [submission for submission, _ in self.cube.entrants]
        found = {
            entrant: [column.facts.id for column in self._ranking if name in column.facts.defined_by]
            for entrant, name in enumerate(names)
        }
        return {entrant: metrics for entrant, metrics in found.items() if metrics}

    @cached_property
    def likenesses(self) -> dict[int, str]:
        """Entrants of other names whose values are those of one that defines a metric, with what to say of it."""
        found: dict[int, list[str]] = {}
        for column in self.columns:
            values = self.cube.values[:, :, column.number]
            for definer, (name, _) in enumerate(self.cube.entrants):
                if name not in column.facts.defined_by:
                    continue
                for entrant, (other, _) in enumerate(self.cube.entrants):
                    if other not in column.facts.defined_by and alike(values[entrant], values[definer], _span(column)):
                        found.setdefault(entrant, []).append(f"as {name} on {column.facts.id}, which {name} defines")
        return {entrant: "; ".join(reasons) for entrant, reasons in found.items()}

    def metrics(self) -> list[Record]:
        """A record of each metric: what it is, its ends, whether it is informative, its share of the score."""
        weights = dict(zip([column.number for column in self.headline], self.weights.tolist(), strict=True))
        shares = dict(zip(weights, self.shares, strict=True))
        return [
            {
                **self._metric_record(column),
                "weight": weights.get(column.number),
                "share": shares.get(column.number),
            }
            for column in self.columns
        ]

    def results(self) -> list[Record]:
        """A record of each entrant and metric."""
        records = []
        for column in self.columns:
            values = self.cube.values[:, :, column.number].T
            raw, shares = self._make.shown(column.raw, values), None
            if column.part is not None:
                found = self._make.interval(column.part.statistic, column.part.items)
                shares = self._make.shown(found, values)
            for entrant, shortfall in enumerate(self.shortfalls):
                records.append(
                    {
                        "entrant": entrant,
                        "metric": column.facts.id,
                        "n": int((~np.isnan(self.cube.values[entrant, :, column.number])).sum()),
                        "failed": int(self.cube.failed[entrant, :, column.number].sum()),
                        "defines": self.cube.entrants[entrant][0] in column.facts.defined_by,
                        **ends_of("mean", "", raw, entrant),
                        **ends_of("calibrated", "calibrated_", None if shortfall else shares, entrant),
                    }
                )
        return records

    def ranks(self) -> list[Record]:
        """A record of each entrant: its score and rank, or none where nothing is ranked.

        Who did not run all items, or lacks a metric of the score, has none either, and a note that says so. Who defines
        a metric of the score has one over the others and no rank. Nobody has a rank where not even the same gain on
        every item would be told.
        """
        return [
            {
                "entrant": entrant,
                **self._placing(entrant),
                "items": int(self.cube.ran[entrant].sum()),
                "failed": int(self.cube.lost[entrant].sum()),
                "note": shortfall or self._apart(entrant),
                "flag": self.likenesses.get(entrant, ""),
            }
            for entrant, shortfall in enumerate(self.shortfalls)
        ]

    @cached_property
    def placings(self) -> Placings | None:
        """Scores and ranks; None where nobody has one."""
        if self.ranked_by == RAW:
            return self._raw_placings()
        return self._placed(range(len(self.headline)), self._ranked(self.shortfalls))

    @cached_property
    def shares(self) -> list[float | None]:
        """Of each metric of the score, its share of the variance between the entrants that are ranked."""
        return shares_of(self.placings if self.ranked_by == CALIBRATED else None, self.weights)

    def changes(self) -> list[Record]:
        """A record of each entrant under each change of the headline's parameters, with Kendall's tau to the headline.

        A change is a parameter that another metric of the card adds to a headline metric's, or has another value of.
        The headline that it is compared with is made of those metrics that the change has, too.
        """
        named: dict[str, list[tuple[int, MetricSummary]]] = {}
        for place, base in enumerate(self.headline):
            for other in self.columns:
                change = _change(base.facts, other.facts)
                if change:
                    named.setdefault(change, []).append((place, other))
        records = []
        for change, pairs in named.items():
            bases = [self.headline[place] for place, _ in pairs]
            short = self.cube.shortfalls([column.number for column in (*bases, *(other for _, other in pairs))])
            ranked = self._ranked([first or second for first, second in zip(self.shortfalls, short, strict=True)])
            after = [self._make.on_scale_of(base, other) for base, (_, other) in zip(bases, pairs, strict=True)]
            places = [place for place, _ in pairs]
            both = self._placed(places, ranked), placed(self._make, after, self.weights[places], ranked)
            described = {"change": change, "metrics": ", ".join(other.facts.id for _, other in pairs)}
            told = self._by_chance(*both)
            records += [{**described, **told, **record} for record in self._compared(*both)]
        return records

    def without(self) -> list[Record]:
        """A record of each ranked entrant with each metric of the score left out in turn, and Kendall's tau to it."""
        records: list[Record] = []
        ranked = self._ranked(self.shortfalls)
        if min(len(self.headline), len(ranked)) < 2:
            return records
        for place, left in enumerate(self.headline):
            after = self._placed([other for other in range(len(self.headline)) if other != place], ranked)
            records += [{"metric": left.facts.id, **record} for record in self._compared(self.placings, after)]
        return records

    def spans(self) -> dict[str, float]:
        """Distance from floor to ceiling of each metric that is calibrated."""
        return {
            column.facts.id: float(column.ends.ceiling.value - column.ends.floor.value)
            for column in self.columns
            if column.ends is not None and column.part is not None
        }

    def _placed(self, places: Sequence[int], ranked: Sequence[int]) -> Placings | None:
        """Placings of some entrants by the headline metrics of these places; made once, whoever asks."""
        key = tuple(places), tuple(ranked)
        if key not in self._known:
            parts = _parts([self.headline[place] for place in places])
            self._known[key] = placed(self._make, parts, self.weights[list(places)], list(ranked))
        return self._known[key]

    def _ranked(self, shortfalls: Sequence[str]) -> list[int]:
        """Entrants that are ranked: those without a shortfall that define no metric of the score."""
        return [entrant for entrant, short in enumerate(shortfalls) if not short and entrant not in self.defined]

    def _raw_placings(self) -> Placings | None:
        if self.main is None or self.cube.floor is None:
            return None
        part = self._make.raw_part(self.main.number, direction(self.main.facts.id))
        return placed(self._make, [part], np.ones(1), self._ranked(self.shortfalls), calibrated=False)

    def _placing(self, entrant: int) -> Record:
        """Rank and score; of who defines a metric of the score, a score over the others."""
        if entrant not in self.defined or self.shortfalls[entrant] or self.ranked_by == RAW:
            return placing(self.placings, entrant)
        kept = [place for place, c in enumerate(self.headline) if c.facts.id not in self.defined[entrant]]
        parts = _parts([self.headline[place] for place in kept])
        alone = placing(placed(self._make, parts, self.weights[kept], [entrant]), entrant)
        return {**alone, **dict.fromkeys(("rank", "rank_low", "rank_high", "rank_group", "first"))}

    def _apart(self, entrant: int) -> str:
        """Why an entrant that has a score stands apart; empty where it does not."""
        metrics = self.defined.get(entrant)
        return f"defines {', '.join(metrics)}" if metrics else ""

    def _compared(self, before: Placings | None, after: Placings | None) -> list[Record]:
        """A record of each entrant of two placings; none where one of them says nothing."""
        if before is None or after is None or before.ranks is None:
            return []
        tau = number(agreement(before.score.value, after.score.value))
        return [
            {"tau": tau, "entrant": entrant, "rank_before": int(before.ranks.place[place]), **placing(after, entrant)}
            for place, entrant in enumerate(before.entrants)
        ]

    def _by_chance(self, before: Placings | None, after: Placings | None) -> Record:
        """Where Kendall's tau would lie if those who share a place were tied."""
        if before is None or after is None or before.ranks is None:
            return {}
        low, high = chance(before.items, after.items, before.ranks.group, self.cube.clusters, self.sampling.level)
        return {"tau_low": number(low), "tau_high": number(high)}

    def _metric_record(self, column: MetricSummary) -> Record:
        facts = column.facts
        floor = None if self.cube.floor is None else at(column.raw, self.cube.floor)
        seen = (~np.isnan(self.cube.values[:, :, column.number])).any(axis=0)
        return {
            "metric": facts.id,
            "name": facts.name,
            "direction": facts.direction,
            "range_low": number(facts.range[0]),
            "range_high": number(facts.range[1]),
            "summary": facts.summary,
            "headline": facts.headline,
            "informative": column.informative,
            "items": int(seen.sum()),
            "clusters": len(np.unique(self.cube.clusters[seen])),
            **ends_of("floor", "floor_", floor),
            **{name: value for kind, mark in column.marks.items() for name, value in _mark(kind, mark).items()},
            **{f"{kind}_calibrated": _calibrated(mark, column) for kind, mark in column.marks.items()},
        }


def _parts(columns: Sequence[MetricSummary]) -> list[ScorePart]:
    return [column.part for column in columns if column.part is not None]


def _weights(task: TaskFacts, headline: list[str]) -> Array:
    """[H] what headline metrics weigh by the audit; all alike where it does not say it of each of them."""
    stored = task.audit.weights.headline if task.audit and task.audit.weights else {}
    found = np.array([stored.get(metric, 0.0) for metric in headline])
    if not (found > 0).all():
        found = np.ones(len(headline))
    normed: Array = found / found.sum()
    return normed


def _span(column: MetricSummary) -> float:
    """Distance from floor to ceiling, that of the declared range where no ceiling is known; NaN where that is open."""
    if column.ends is not None:
        return abs(float(column.ends.ceiling.value - column.ends.floor.value))
    width = column.facts.range[1] - column.facts.range[0]
    return width if np.isfinite(width) else float("nan")


def _change(base: MetricFacts, other: MetricFacts) -> str:
    """What other adds to base or has otherwise, as text; empty where it is no change of it."""
    if base.name != other.name or not base.parameters.keys() <= other.parameters.keys():
        return ""
    return ", ".join(f"{key} {value}" for key, value in other.parameters.items() if base.parameters.get(key) != value)


def _mark(kind: str, mark: Interval | None) -> Record:
    return ends_of(kind, f"{kind}_", mark)


def _calibrated(mark: Interval | None, column: MetricSummary) -> float | None:
    """Where a stored value lies between floor (0) and ceiling (1); None where the metric is not calibrated."""
    if mark is None or column.ends is None or not column.informative:
        return None
    return number(column.ends.place(float(mark.value)))
