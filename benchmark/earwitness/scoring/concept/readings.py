"""Readings: what each metric of a concept card reads, with its parameters checked before anything is encoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from earwitness.errors import InvalidCardError
from earwitness.scoring.declared import declared, require_no_choices, where

if TYPE_CHECKING:
    from earwitness.metrics import Metric
    from earwitness.task import MetricCard, Task

EVERY = "every"
"""The factor of a metric that is the mean over all factors of the dataset."""
PROBES = ("probe_r2", "transfer_r2", "sparse_probe_r2", "probe_accuracy")
TRACES = ("trace", "trace_error")
PARAMETERS: dict[str, tuple[str, ...]] = {
    "probe_r2": ("factor",),
    "transfer_r2": ("factor",),
    "sparse_probe_r2": ("factor", "k"),
    "probe_accuracy": ("factor", "classes"),
    "steer": ("factor", "k"),
    "trace": ("factor",),
    "trace_error": ("factor",),
    "fvu": (),
    "l0": (),
    "dead": (),
    "stability": (),
}
"""Parameters of each metric of the track."""
ACCURACY_CLASSES = 20
"""Equal-width bins of a factor, as published (arXiv 2510.23802); 0 takes each whole value as a class."""


@dataclass(frozen=True)
class Reading:
    """One metric of a card."""

    id: str
    metric: Metric
    factor: str
    k: int
    """How many features a probe reads, or are steered; 0 for all."""
    classes: int

    @property
    def name(self) -> str:
        """Name of the metric."""
        return self.metric.name


def read_card(task: Task) -> list[Reading]:
    """Readings of a task's metrics, in the card's order.

    Raises InvalidCardError where a metric is not of this track, or has an unknown parameter or value.
    """
    require_no_choices(task)
    return [_read(task, card) for card in task.card.metrics]


def _read(task: Task, card: MetricCard) -> Reading:
    at, metric, given = where(task, card), declared(task, card, PARAMETERS), card.parameters
    least = 1 if metric.name == "sparse_probe_r2" else 0
    return Reading(
        id=card.id,
        metric=metric,
        factor=str(given.get("factor", EVERY)),
        k=_whole(at, "k", given.get("k", least), least),
        classes=_whole(at, "classes", given.get("classes", ACCURACY_CLASSES), 0),
    )


def _whole(at: str, name: str, value: Any, least: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise InvalidCardError(f"{at}: {name} is a whole number, at least {least}, not {value!r}")
    return value
