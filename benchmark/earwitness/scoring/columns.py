"""The metrics of a card, checked before anything is asked: for each a response with its parameters."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from earwitness import metrics, tracks
from earwitness.errors import EarwitnessError, InvalidCardError
from earwitness.parameters import ParameterError, checked
from earwitness.task import CARD

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from earwitness.metrics import MetricSpec, Response
    from earwitness.task import MetricCard, Task

ChoicesT = TypeVar("ChoicesT")


@dataclass(frozen=True)
class Column:
    """One metric of a card."""

    id: str
    metric: MetricSpec
    response: Any
    """The `Response` that it reads, its judge named."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Its own parameters."""
    choices: tuple[tuple[str, Any], ...] = ()
    """What of the card's table `[scoring]` it goes by, where that is not the default."""

    @property
    def judge(self) -> str:
        """Name of the judge that it asks; empty where it asks none."""
        return str(getattr(self.response, "judge", ""))

    def value(self, *arrays: Any) -> float:
        """The metric of the response's arrays; raises what the metric raises."""
        return self.metric.function(*arrays, **self.parameters)

    def seeds(self, seeds: Sequence[int]) -> Sequence[int]:
        """Of the generation seeds those under which it has a value of its own."""
        return seeds if self.response.repeated else seeds[:1]


def read_columns(task: Task) -> list[Column]:
    """The metrics of a task's card, in its order.

    Raises InvalidCardError, naming metric and key, where a metric is not of the task's track, where a parameter is
    unknown or out of range, where a judge is asked and there is none of that name, or where one metric is listed twice
    in other words; and where the table `[scoring]` is not the track's.
    """
    schema = getattr(import_module(tracks.load(task.card.track).scoring), "CHOICES", None)
    if schema is None and task.card.scoring:
        raise InvalidCardError(
            f"{task.folder / CARD}: scoring: the {task.card.track} track leaves no choice; take it out"
        )
    chosen = None if schema is None else choices(task, schema)
    found = [_column(task, card, chosen) for card in task.card.metrics]
    if chosen is not None:
        try:
            chosen.require({name for column in found for name in column.response.goes_by})
        except EarwitnessError as error:
            raise InvalidCardError(f"{task.folder / CARD}: scoring.{error}") from error
    for at, column in enumerate(found):
        for before in found[:at]:
            if (before.metric, before.response, before.parameters) == (
                column.metric,
                column.response,
                column.parameters,
            ):
                raise InvalidCardError(f"{_place(task, column.id)} is {before.id} in other words; list it once")
    return found


def choices(task: Task, schema: type[ChoicesT]) -> ChoicesT:
    """The card's table `[scoring]` as a dataclass of the track; raises InvalidCardError, naming the key."""
    try:
        return schema(**checked(schema, task.card.scoring))
    except ParameterError as error:
        raise InvalidCardError(f"{task.folder / CARD}: scoring.{error.key} {error.problem}") from error


def _column(task: Task, card: MetricCard, chosen: Any) -> Column:
    at = _place(task, card.id)
    try:
        metric = metrics.get(card.metric)
    except EarwitnessError as error:
        raise InvalidCardError(f"{at}: {error}") from error
    if metric.track != task.card.track:
        raise InvalidCardError(
            f"{at} scores explanations of the {metric.track} track and this task is of the {task.card.track} track"
        )
    try:
        response, own = metric.checked(card.parameters)
    except ParameterError as error:
        raise InvalidCardError(f"{at}: parameter {error.key} {error.problem}") from error
    defaults = {} if chosen is None else {each.name: each.default for each in fields(chosen)}
    other = [(name, getattr(chosen, name)) for name in response.goes_by if getattr(chosen, name) != defaults[name]]
    return Column(card.id, metric, _heard(at, task, response), own, tuple(other))


def _heard(at: str, task: Task, response: Response) -> Response:
    """The response with its judge named, where it has one."""
    if not hasattr(response, "judge"):
        return response
    names = [judge.name for judge in task.card.judges]
    if not names:
        raise InvalidCardError(f"{at} asks a judge, and the card has none")
    judge = response.judge or names[0]
    if judge not in names:
        raise InvalidCardError(f"{at}: judge is one of {', '.join(names)}, not {judge!r}")
    return replace(response, judge=judge)  # type: ignore[call-arg]


def _place(task: Task, id: str) -> str:
    """A metric's place in its task's card, for messages."""
    return f"{task.folder / CARD}: metric {id}"


def of_response(columns: Sequence[Column], kind: type[Response] | tuple[type[Response], ...]) -> Iterator[Column]:
    """Those of the columns that read such a response."""
    return (column for column in columns if isinstance(column.response, kind))
