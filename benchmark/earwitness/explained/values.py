"""What the metrics of a card say of one input: each entrant's value, the floor's draws, and generation's own noise."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING, Any

from earwitness import metrics
from earwitness.results.cube import FLOOR
from earwitness.results.status import Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from earwitness.task import MetricCard, TaskCard

Record = dict[str, Any]
NOISE = "_noise"
"""What ends the name of the metric of generation's own noise: `fid_noise` beside `fid_f` and `fid_cf`."""


@dataclass(frozen=True)
class FloorDraws:
    """The values of the floor, one for each draw of it: an explainer seed, mean over generation seeds."""

    draws: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Over draws."""
        return fmean(self.draws)


@dataclass(frozen=True)
class MetricValues:
    """One metric on the input."""

    id: str
    direction: metrics.Direction
    headline: bool
    summary: str
    values: Mapping[str, float | None]
    """By submission, mean over generation seeds; None where it failed."""
    floor: FloorDraws | None
    """None where the floor has no value."""
    noise: float | None = None
    """What another draw of generation's noise does by itself, as the same judge hears it; None if unknown."""

    def record(self) -> Record:
        """As JSON types."""
        return {
            "metric": self.id,
            "direction": self.direction,
            "headline": self.headline,
            "values": dict(self.values),
            FLOOR: None if self.floor is None else {"mean": self.floor.mean, "draws": list(self.floor.draws)},
            "noise_floor": self.noise,
        }


@dataclass(frozen=True)
class InputValues:
    """All that was measured on the input."""

    entrants: tuple[str, ...]
    """Submissions that were asked for."""
    metrics: tuple[MetricValues, ...]
    """In the card's order, headline metrics first, those without a value left out."""
    skipped: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Metrics that no input without truth has a value of, by the reason."""
    failed: Mapping[str, str] = field(default_factory=dict)
    """Why a submission has no explanation that could be scored, by its id."""

    def record(self) -> Record:
        """As JSON types."""
        return {
            "submissions": list(self.entrants),
            "metrics": [metric.record() for metric in self.metrics],
            "left_out": {reason: list(ids) for reason, ids in self.skipped.items()},
            "failed": dict(self.failed),
        }


def input_values(card: TaskCard, rows: Mapping[str, pa.Table], entrants: Sequence[str]) -> InputValues:
    """What rows [of one input] by submission say, the floor's among them where it was run."""
    read = {submission: _read(table) for submission, table in rows.items()}
    order = sorted(card.metrics, key=lambda metric: not metric.headline)
    measured = [_metric(card, metric, read, entrants) for metric in order]
    skipped: dict[str, list[str]] = defaultdict(list)
    for metric in card.metrics:
        reasons = [each.skipped[metric.id] for each in read.values() if metric.id in each.skipped]
        if reasons and not any(metric.id in each.values for each in read.values()):
            skipped[reasons[0]].append(metric.id)
    return InputValues(
        tuple(entrants),
        tuple(metric for metric in measured if metric is not None),
        {reason: tuple(ids) for reason, ids in skipped.items()},
        {submission: each.failed for submission, each in read.items() if each.failed},
    )


@dataclass
class _Answers:
    """One submission's rows: values by metric and explainer seed, reasons by metric."""

    values: dict[str, dict[int, list[float]]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    failed: str = ""


def _read(table: pa.Table) -> _Answers:
    found = _Answers()
    columns = ("metric", "explainer_seed", "value", "status", "reason")
    for metric, seed, value, status, reason in zip(*(table[name].to_pylist() for name in columns), strict=True):
        if status == Status.OK:
            found.values.setdefault(metric, {}).setdefault(seed, []).append(value)
        elif status == Status.SKIPPED:
            found.skipped[metric] = reason
        else:
            found.failed = reason
    return found


def _draws(answers: _Answers | None, metric: str) -> tuple[float, ...]:
    """One value for each explainer seed; none where there is no value."""
    seeds = answers.values.get(metric, {}) if answers is not None else {}
    return tuple(fmean(seeds[seed]) for seed in sorted(seeds))


def _metric(
    card: TaskCard, metric: MetricCard, read: Mapping[str, _Answers], entrants: Sequence[str]
) -> MetricValues | None:
    """One metric of the card; None where nobody has a value of it."""
    spec, draws = metrics.get(metric.metric), {each: _draws(read.get(each), metric.id) for each in (*entrants, FLOOR)}
    if not any(draws.values()):
        return None
    noise = [draw for id in [noise_of(card, metric)] if id for each in read.values() for draw in _draws(each, id)]
    floor = draws[FLOOR]
    return MetricValues(
        metric.id,
        spec.direction,
        metric.headline,
        spec.summary,
        # The floor's draws differ; the others' seed is one.
        {each: fmean(draws[each]) if draws[each] else None for each in entrants},
        FloorDraws(floor) if floor else None,
        fmean(noise) if noise else None,
    )


def noise_of(card: TaskCard, metric: MetricCard) -> str:
    """Id of the card's metric of what generation alone changes, as the same judge hears it; empty where there is none.

    A description (a metric without direction) has none.
    """
    if metrics.get(metric.metric).direction == "none":
        return ""
    name, judge = metric.metric.rpartition("_")[0] + NOISE, metric.parameters.get("judge")
    return next((each.id for each in card.metrics if (each.metric, each.parameters.get("judge")) == (name, judge)), "")
