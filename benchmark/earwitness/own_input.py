"""A task on one input of the user's own in place of its dataset: a variant whose rows meet none of the card's items."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from earwitness.datasets import own
from earwitness.datasets.own import OwnInput
from earwitness.errors import EarwitnessError
from earwitness.task import DatasetCard, Task

if TYPE_CHECKING:
    from collections.abc import Mapping

ADAPTER = own.__name__.rpartition(".")[2]
"""Name of the dataset of one input."""


def require_taken(task: Task, given: OwnInput) -> None:
    """Raise EarwitnessError where a task's track explains no input of that kind; the line says which it explains."""
    track = task.card.track
    takes = own.TAKES.get(track)
    if takes is None:
        raise EarwitnessError(
            f"task {task.id} is of the track {track}, which explains neither a prompt nor a sound by itself; tracks "
            f"that do: {', '.join(sorted(own.TAKES))}"
        )
    if takes != given.kind:
        raise EarwitnessError(f"task {task.id} is of the track {track}: give --{takes}, not --{given.kind}")


def own_task(task: Task, given: OwnInput) -> Task:
    """A variant of a task on one input of the user's own, whose rows meet none of the card's items.

    Nothing is known of the input but what is given: metrics that need its truth have no value.
    """
    dataset = DatasetCard(adapter=ADAPTER, items=1, identity=given.identity, parameters=dict(given.parameters))
    return Task(task.card.model_copy(update={"dataset": dataset}), task.folder, task.copies, task.own_model)


def reopened(task: Task, recorded: Mapping[str, Any]) -> Task:
    """The task of a recipe's card: on the input that it names, where that is a user's own."""
    dataset = recorded.get("dataset") or {}
    if dataset.get("adapter") != ADAPTER or task.card.dataset.adapter == ADAPTER:
        return task
    given = OwnInput(**dataset["parameters"])
    return own_task(task, replace(given, audio=os.path.expanduser(given.audio)))
