"""What the cards of every track have in common: metrics with parameters that they have, and the table `[scoring]`."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from earwitness import metrics
from earwitness.errors import InvalidCardError
from earwitness.parameters import ParameterError, checked
from earwitness.task import CARD

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from earwitness.metrics import Metric
    from earwitness.task import MetricCard, Task

ChoicesT = TypeVar("ChoicesT")


def choices(task: Task, schema: type[ChoicesT]) -> ChoicesT:
    """The card's table `[scoring]` as a dataclass of the track; raises InvalidCardError, naming the key."""
    try:
        return schema(**checked(schema, task.card.scoring))
    except ParameterError as error:
        raise InvalidCardError(f"{task.folder / CARD}: scoring.{error.key} {error.problem}") from error


def require_no_choices(task: Task) -> None:
    """Raise InvalidCardError where a card has a table `[scoring]` and its track leaves no choice."""
    if task.card.scoring:
        raise InvalidCardError(
            f"{task.folder / CARD}: scoring: the {task.card.track} track leaves no choice; take it out"
        )


def where(task: Task, card: MetricCard) -> str:
    """A metric's place in its task's card, for messages."""
    return f"{task.folder / CARD}: metric {card.id}"


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
