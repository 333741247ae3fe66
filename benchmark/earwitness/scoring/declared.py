"""What the cards of every track have in common: a metric of the track, with parameters that it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from earwitness import metrics
from earwitness.errors import InvalidCardError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from earwitness.metrics import Metric
    from earwitness.task import MetricCard, Task


def where(task: Task, card: MetricCard) -> str:
    """A metric's place in its task's card, for messages."""
    return f"{task.folder / 'task.toml'}: metric {card.id}"


def declared(task: Task, card: MetricCard, parameters: Mapping[str, Collection[str]]) -> Metric:
    """The metric that a card lists, of those of a track with the parameters that each has.

    Raises InvalidCardError where it is not of the task's track, or has no such parameter.
    """
    metric = metrics.get(card.metric)
    if metric.name not in parameters:
        raise InvalidCardError(f"{where(task, card)} is not scored in the {task.card.track} track")
    unknown = sorted(set(card.parameters) - set(parameters[metric.name]))
    if unknown:
        raise InvalidCardError(f"{where(task, card)} has no parameter {', '.join(unknown)}")
    return metric
