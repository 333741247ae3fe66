"""Validation of a submission: its card, its code in a box, and its explanations of a few items."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from earwitness import box as boxes
from earwitness import registry
from earwitness.box import BoxError
from earwitness.errors import EarwitnessError
from earwitness.harness import explain, score
from earwitness.harness.recipe import Arguments, Run
from earwitness.harness.run import LOG
from earwitness.results.rows import Status

if TYPE_CHECKING:
    from earwitness.box import Answer
    from earwitness.harness.engines import Engine
    from earwitness.task import Task

ITEMS = 2
LOG_LINES = 12


@dataclass(frozen=True)
class Report:
    """What is wrong with a submission."""

    submission: str
    task: str
    items: int
    findings: tuple[str, ...]
    log: str
    """Last lines of what it printed."""

    @property
    def valid(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings


def validate(path: Path, engine: Engine, device: str = "auto", task: Task | None = None) -> Report:
    """Check a submission on two items of its track's micro task.

    Raises EarwitnessError where the card is wrong, or the task's model cannot be read.
    """
    submission = registry.submission(str(path))
    task = task or micro_task(next(iter(submission.card.explainers)))
    with tempfile.TemporaryDirectory(prefix="earwitness-validate-") as temporary:
        run = Run(task, submission, Arguments(items=ITEMS, device=device), Path(temporary))
        ((_, prepared),) = list(engine.compute(score.prepare, [run], run.out / LOG, 1))
        if isinstance(prepared, Exception):
            raise prepared
        findings = _findings(run, prepared)
        log = run.folder / "explain.log"
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if findings and log.is_file() else []
    return Report(submission.id, task.id, len(prepared.items), tuple(findings), "\n".join(lines[-LOG_LINES:]))


def micro_task(track: str) -> Task:
    """The first task of a track whose model lies in the task's own folder; raises EarwitnessError where none is."""
    for name in registry.task_ids():
        task = registry.task(name)
        if task.card.track == track and (task.folder / task.card.model.source).is_dir():
            return task
    raise EarwitnessError(
        f"track {track} has no task with a model of its own; train one: earwitness train micro_{track}"
    )


def _findings(run: Run, prepared: score.Prepared) -> list[str]:
    """What goes wrong when the items are explained twice, by one box after the other."""
    rounds: list[list[Answer]] = []
    for _ in range(2):
        box = boxes.create(
            run.arguments.isolation, explain.brief_of(run), explain.guard_of(run), run.folder / "explain.log"
        )
        try:
            box.open()
            rounds.append(explain.answers_of(box, prepared.items))
        except BoxError as error:
            return [str(error)]
        finally:
            box.close()
        wrong = [
            f"{answer.item}: {answer.status}: {answer.reason}" for answer in rounds[-1] if answer.status != Status.OK
        ]
        if wrong:
            return wrong
    return [
        f"{first.item}: a second explanation differs; draw randomness from item.explainer_seed alone"
        for first, second in zip(*rounds, strict=True)
        if not _alike(first, second)
    ]


def _alike(first: Answer, second: Answer) -> bool:
    return first.arrays.keys() == second.arrays.keys() and all(
        np.array_equal(first.arrays[name], second.arrays[name]) for name in first.arrays
    )
