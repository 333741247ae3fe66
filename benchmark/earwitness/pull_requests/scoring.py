"""What a submission's folder is worth: it is validated, run in a box beside baselines, and judged against them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from earwitness import registry
from earwitness.board.entrant import ComparisonFamily, compared
from earwitness.box.levels import isolated
from earwitness.errors import DONE, ITEM_FAILED, NO, EarwitnessError, InvalidCardError, is_blank
from earwitness.harness.recipe import Arguments, Run
from earwitness.harness.run import execute
from earwitness.harness.validation.steps import Options
from earwitness.harness.validation.submissions import micro_task, validate
from earwitness.results.folders import open_run
from earwitness.submission import CARD, read_submission
from earwitness.submission_card import ENTRANT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from earwitness.harness.engines import Engine
    from earwitness.harness.session import Progress, RunOutcome
    from earwitness.harness.validation.steps import Report
    from earwitness.submission import Submission
    from earwitness.task import Task

BASELINES = ("random", "attention", "aiba", "pca")
"""The floor, and for each track the cheapest method that reads the model; those of a task's track are run."""
ITEMS = 8


class InvalidSubmissionError(EarwitnessError):
    """A submission's card says what no card may say."""

    exit_code = NO


@dataclass(frozen=True)
class Asked:
    """How a submission is looked at."""

    out: Path
    """Folder of the runs."""
    items: int = ITEMS
    tasks: tuple[str, ...] = ()
    """Ids or folders; without any the small task of each of its tracks."""
    baselines: tuple[str, ...] = BASELINES
    device: str = "auto"


@dataclass(frozen=True)
class TaskResult:
    """What became of a submission and of the baselines on one task."""

    task: Task
    outcomes: tuple[RunOutcome, ...]
    """The submission's first."""
    comparisons: ComparisonFamily | None = None
    """None where there is nothing to compare."""
    reason: str = ""
    """Why there is not."""


@dataclass(frozen=True)
class Findings:
    """All that is said of a submission."""

    submission: Submission
    asked: Asked
    isolation: str
    validation: Report
    results: tuple[TaskResult, ...] = field(default=())

    @property
    def failed(self) -> bool:
        """Whether an item of the submission, or its run, failed."""
        return any(not result.outcomes[0].done or result.outcomes[0].failed for result in self.results)

    @property
    def exit_code(self) -> int:
        """0 where all of it was scored, 1 where it is invalid, 4 where an item, or a whole run, failed."""
        if not self.validation.valid:
            return NO
        others = any(not outcome.done for result in self.results for outcome in result.outcomes)
        return ITEM_FAILED if self.failed or others else DONE


def read_card(folder: Path) -> Submission:
    """The submission in a folder; raises InvalidSubmissionError where its card is no card of its own code."""
    try:
        found = read_submission(folder)
    except InvalidCardError as error:
        raise InvalidSubmissionError(str(error)) from error
    if is_blank(found.card.licence):
        raise InvalidSubmissionError(
            f'{folder / CARD}: it names no licence; say by which one others may run the code: licence = "Apache-2.0"'
        )
    if found.card.kind != ENTRANT:
        # The others' tries are not counted, and entrants are compared with them.
        raise InvalidSubmissionError(
            f"{folder / CARD}: kind is {found.card.kind}; baselines and controls are the project's own: leave kind out"
        )
    elsewhere = next((card.explainer for card in found.card.explainers.values() if ":" in card.explainer), None)
    if elsewhere is not None:
        # Nobody would have read it, and a box sees the packages that a card names.
        raise InvalidSubmissionError(
            f"{folder / CARD}: {elsewhere} is code of another place; put it into the folder and name its class"
        )
    if found.id != folder.resolve().name:
        raise InvalidSubmissionError(
            f"{folder / CARD}: its id is {found.id} and its folder {folder.resolve().name}; give them one name"
        )
    return found


def look_at(folder: Path, asked: Asked, engine: Engine, progress: Progress) -> Findings:
    """Validate the submission in a folder, run it and the baselines on the same items, and judge it against them.

    Raises InvalidSubmissionError where the card is invalid, EarwitnessError where there is no isolation, no task, or a
    task or baseline cannot be found.
    """
    level = isolated()
    submission = read_card(folder)
    tasks = _tasks(submission, asked)
    of_track = {task.card.track: task for task in reversed(tasks)}
    report = validate(submission, Options(device=asked.device), progress.say, engine, of_track)
    if not report.valid:
        return Findings(submission, asked, level, report)
    arguments = Arguments(items=asked.items, device=asked.device, isolation=level)
    runs = [
        Run(task, entrant, arguments.taken_by(entrant), asked.out, frozenset({"items"}))
        for task in tasks
        for entrant in (submission, *_baselines(task, submission, asked.baselines))
    ]
    outcomes = execute(runs, engine, progress)
    results = tuple(_result(task, [each for each in outcomes if each.run.task is task]) for task in tasks)
    return Findings(submission, asked, level, report, results)


def _tasks(submission: Submission, asked: Asked) -> list[Task]:
    """The tasks that are asked for, or the small one of each track that the submission is for."""
    if not asked.tasks:
        return [micro_task(track) for track in submission.card.tracks]
    found = [registry.task(name) for name in asked.tasks]
    for task in found:
        if task.card.track not in submission.card.tracks:
            known = ", ".join(submission.card.tracks)
            raise EarwitnessError(
                f"submission {submission.id} is of the track {known}, task {task.id} of {task.card.track}"
            )
    return found


def _baselines(task: Task, submission: Submission, names: Sequence[str]) -> list[Submission]:
    found = [registry.submission(name) for name in names if name != submission.id]
    return [baseline for baseline in found if task.card.track in baseline.card.tracks]


def _result(task: Task, outcomes: Sequence[RunOutcome]) -> TaskResult:
    """The comparisons of the first with the others, where all of them have rows."""
    mine, *others = outcomes
    done = [outcome for outcome in others if outcome.done and outcome.items]
    if not mine.done or not mine.items:
        return TaskResult(task, tuple(outcomes), reason="its run is not whole")
    if not done:
        return TaskResult(task, tuple(outcomes), reason="no baseline has a whole run")
    runs = [open_run(outcome.run.folder) for outcome in (mine, *done)]
    return TaskResult(task, tuple(outcomes), compared(mine.run.submission.id, runs))
