"""Work of the suites that is done in a worker process, where models are read."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from earwitness.harness import score
from earwitness.harness.run import LOG
from earwitness.scoring import Setting

if TYPE_CHECKING:
    from collections.abc import Callable

    from earwitness.harness.engines import Engine
    from earwitness.harness.score import Prepared
    from earwitness.task import Task

R = TypeVar("R")
ITEMS = 2
"""First items of a task that are looked at."""


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


def in_worker(engine: Engine, function: Callable[[Job], R], job: Job) -> R:
    """What a function gives of a job, in a worker; raises what it raises."""
    ((_, answer),) = list(engine.compute(function, [job], job.folder / LOG, 1))
    if isinstance(answer, Exception):
        raise answer
    return answer


def prepare(job: Job) -> Prepared:
    """Make the first items of a task; raises EarwitnessError where model or dataset cannot be read."""
    setting = score.resolve(job.setting)
    items, problems = score.load(setting).items()
    return score.Prepared(tuple(items), tuple(problems), setting.device)


def load_judges(job: Job) -> list[str]:
    """Names of a task's judges, each read; raises EarwitnessError where one cannot be."""
    names = [judge.name for judge in job.task.card.judges]
    device = score.resolve(job.setting).device
    return sorted(import_module("earwitness.scoring.loading").load_judges(job.task, names, device))
