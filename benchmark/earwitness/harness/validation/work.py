"""Work of the suites that is done in a worker process, where models are read."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from earwitness.harness import score
from earwitness.harness.stages import LOG
from earwitness.scoring import Setting

if TYPE_CHECKING:
    from collections.abc import Callable

    from earwitness.harness.engines import Engine
    from earwitness.harness.score import Prepared
    from earwitness.task import Task

R = TypeVar("R")
ITEMS = 2
"""First items of a task that are looked at."""
SEEDS = (0, 1)
"""Numbers of the explainer seeds that they are handed out under."""


@dataclass(frozen=True)
class Job:
    """A task of which something is loaded."""

    task: Task
    device: str
    folder: Path
    """What is made is kept here."""

    @property
    def setting(self) -> Setting:
        """The task's first items."""
        return Setting(self.task, ITEMS, device=self.device, cache=self.folder)


@dataclass(frozen=True)
class Making:
    """What making the first items of a task took."""

    prepared: Prepared
    reading: float | None
    """Seconds that reading the model took; None where the track's scoring does not tell it from the rest."""
    seconds: float
    """Of making the items."""
    made: int
    """Items that were made at once: a whole chunk of them, of which the first are looked at."""


def in_worker(engine: Engine, function: Callable[[Job], R], job: Job) -> R:
    """What a function gives of a job, in a worker; raises what it raises."""
    ((_, answer),) = list(engine.compute(function, [job], job.folder / LOG, 1))
    if isinstance(answer, Exception):
        raise answer
    return answer


def prepare(job: Job) -> Prepared:
    """Make the first items of a task, under two explainer seeds.

    Raises EarwitnessError where model or dataset cannot be read.
    """
    setting = score.resolve(job.setting)
    opened = score.load(setting)
    items, problems = opened.items()
    seeded = {seed: tuple(opened.seeded(item, seed) for item in items) for seed in SEEDS}
    return score.Prepared(seeded, tuple(problems), setting.device)


def make(job: Job) -> Making:
    """Make the first items of a task and time it; raises EarwitnessError where model or dataset cannot be read."""
    items = import_module("earwitness.scoring.items")
    setting = score.resolve(job.setting)
    opened = score.load(setting)
    begun, reading, made = monotonic(), None, ITEMS
    if isinstance(opened, items.Items):
        _ = opened.model
        reading = monotonic() - begun
        made = sum(opened.chunk_of(record.id) == 0 for record in opened.records)
    prepared, seconds = prepare(job), monotonic() - begun - (reading or 0.0)
    return Making(prepared, reading, seconds, made)


def load_judges(job: Job) -> list[str]:
    """Names of a task's judges, each read; raises EarwitnessError where one cannot be."""
    names = [judge.name for judge in job.task.card.judges]
    device = score.resolve(job.setting).device
    return sorted(import_module("earwitness.scoring.loading").load_judges(job.task, names, device))
