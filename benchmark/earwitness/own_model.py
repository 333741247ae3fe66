"""A task with another model than its card's: one's own checkpoint, or a twin, which belongs to one task and one world.

A twin is the task's model trained again from another seed: the task's world and items, other weights. What it belongs
to stands beside its weights, in `twin.json`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from earwitness import plugins
from earwitness.errors import EarwitnessError
from earwitness.results.documents import read_document
from earwitness.results.writing import moved_into_place

if TYPE_CHECKING:
    from earwitness.task import Task

TWIN = "twin.json"
"""File beside a twin's weights."""


class World(BaseModel):
    """A made world: its dataset's name and the version of its code."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    version: int | str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


class Twin(BaseModel):
    """What a twin belongs to, and how it was trained."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str
    seed: int = Field(ge=1)
    """The shipped model's is 0."""
    masked: bool
    """Whether inputs had parts removed in training, as those of the shipped model had."""
    world: World

    def __str__(self) -> str:
        return f"{'masked' if self.masked else 'unmasked'} twin of seed {self.seed}"


def world_of(task: Task) -> World:
    """The world that a task's items are made of, as its code is now.

    Raises EarwitnessError where the dataset is no made world.
    """
    name = task.card.dataset.adapter
    version = plugins.adapter("datasets", name).says("VERSION")
    if version is None:
        raise EarwitnessError(f"task {task.id}: {name} is no made world, so that no model of it has a twin")
    return World(name=name, version=version)


def twin_of(folder: Path) -> Twin | None:
    """What the model in a folder is a twin of; None where it is none.

    Raises EarwitnessError where the folder's twin.json cannot be read.
    """
    path = folder / TWIN
    if not path.is_file():
        return None
    advice = "train the twin again, or delete the file to run the model as any other"
    return Twin.model_validate(read_document(path, Twin, "note of a twin", advice))


def write_twin(folder: Path, twin: Twin) -> None:
    """Write what the model in a folder is a twin of; raises EarwitnessError where that cannot be written."""
    with moved_into_place(folder / TWIN) as temporary:
        temporary.write_text(json.dumps(twin.model_dump(), indent=2) + "\n", encoding="utf-8")


def with_model(task: Task, source: str, revision: str = "main") -> Task:
    """A variant of the task with the model of a hub id or a folder: `Task.with_model`, and no twin of anything else.

    Raises EarwitnessError where a folder is none, or holds a twin of another task or of another world than that of the
    task's dataset.
    """
    twin = twin_of(Path(source).expanduser())
    if twin is not None and twin.task != task.id:
        raise EarwitnessError(f"model {source!r} is a twin of {twin.task}, not of {task.id}; run it on {twin.task}")
    if twin is not None and twin.world != (now := world_of(task)):
        raise EarwitnessError(
            f"model {source!r} is a twin in the world {twin.world}, and items of {task.id} are of {now}; train it "
            f"again with `earwitness train {task.id} --twin {twin.seed}{'' if twin.masked else ' --unmasked'}`"
        )
    return task.with_model(source, revision)


def recorded_twin(task: Task) -> Twin | None:
    """The twin that a variant of a task runs; None where its model is the card's, or no twin."""
    if task.own_model is None or task.own_model.loaded is not None:
        return None
    return twin_of(Path(task.source(task.card.model.source)))
