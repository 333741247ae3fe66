"""The suite of a submission: its card, its code in a box, its explanations of a few items, on each of its tracks."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np

from earwitness import registry
from earwitness.box import BoxError, levels
from earwitness.errors import EarwitnessError
from earwitness.harness import explain
from earwitness.harness.answers import answers_of
from earwitness.harness.recipe import Arguments, Run
from earwitness.harness.validation import explanations
from earwitness.harness.validation.pace import for_items
from earwitness.harness.validation.steps import Options, Report, ReportNote, Say, Step, report
from earwitness.harness.validation.work import ITEMS, SEEDS, Job, in_worker, prepare
from earwitness.results.rows import Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from earwitness.box import Answer
    from earwitness.harness.engines import Engine
    from earwitness.harness.score import Prepared
    from earwitness.submission import Submission
    from earwitness.task import Task

LOG_LINES = 12
PLAIN = {
    Status.INVALID: "gives no explanation of its track",
    Status.FAILED: "raises an error",
    Status.TIMED_OUT: "takes more than the task's budget",
}
"""What a status means, in words."""


def validate(
    submission: Submission, options: Options, say: Say, engine: Engine, tasks: Mapping[str, Task] | None = None
) -> Report:
    """Check a submission on two items of the micro task of each of its tracks, or of `tasks` by track.

    Raises EarwitnessError where there is no task to check it on, or its model cannot be read.
    """
    asked = [options.track] if options.track else list(submission.card.tracks)
    missing = [track for track in asked if track not in submission.card.tracks]
    if missing:
        raise EarwitnessError(f"submission {submission.id} has no explainer of the track {missing[0]}")
    if submission.card.explanations:
        return explanations.validate(submission, options, say, engine, tasks)
    # A stranger's code is run in isolation or not at all.
    level = levels.isolated(submission.source) if submission.source else levels.strongest()
    with TemporaryDirectory(prefix="earwitness-validate-") as temporary:
        steps: list[Step] = []
        runs: list[Run] = []
        for number, track in enumerate(asked, 1):
            task = (tasks or {}).get(track) or micro_task(track)
            arguments = Arguments(items=ITEMS, device=options.device, isolation=level)
            runs.append(Run(task, submission, arguments, Path(temporary)))
            steps += _steps(runs[-1], engine, 3 * (len(asked) - number))
        found = report("submission", submission.id, steps, say)
        return found if found.valid else Report(**{**vars(found), "log": _last_lines(runs)})


def micro_task(track: str) -> Task:
    """The first task of a track whose model lies in the task's own folder; raises EarwitnessError where none is."""
    for name in registry.task_ids():
        task = registry.task(name)
        if task.card.track == track and (task.folder / task.card.model.source).is_dir():
            return task
    raise EarwitnessError(
        f"track {track} has no task with a model of its own; train one: earwitness train micro_{track}"
    )


def _steps(run: Run, engine: Engine, rounds: int) -> list[Step]:
    """What is done on one track, with so many rounds on other tracks to come."""
    task = run.task
    state = SimpleNamespace(prepared=None, first=[])

    def prepares() -> Iterator[str]:
        state.prepared = in_worker(engine, prepare, Job(task, run.arguments.device, run.out))
        yield from ()

    def explains() -> Iterator[str]:
        (state.first,) = _explained(run, state.prepared, 0)
        yield from _wrong(state.first)
        seconds = max((answer.cost.seconds for answer in state.first), default=0.0)
        yield ReportNote(for_items("an explanation, in CPU time,", seconds, task.card.dataset.items, task.id))

    def explains_again() -> Iterator[str]:
        second, other = _explained(run, state.prepared, *SEEDS)
        yield from _wrong([*second, *other])
        unlike = list(_unlike(state.first, second))
        yield from unlike or _of_seed(run, second, other)

    return [
        Step(f"{ITEMS} items of {task.id}, made with its model", prepares, trusted=True),
        Step(f"its explanations of {ITEMS} items of {task.id}, in a box", explains, ahead=2 + rounds),
        Step(f"its explanations of {ITEMS} items of {task.id} again, in another box and by two seeds", explains_again),
    ]


def _explained(run: Run, prepared: Prepared, *seeds: int) -> list[list[Answer]]:
    """Explanations of the items by a new box, under each of some explainer seeds; raises EarwitnessError where it does
    not start.
    """
    log = run.folder / "explain.log"
    box = explain.box_of(run, explain.brief_of(run), log)
    try:
        box.open()
        return [answers_of(box, prepared.items[seed]) for seed in seeds]
    except BoxError as error:
        raise EarwitnessError(str(error)) from error
    finally:
        box.close()


def _of_seed(run: Run, first: list[Answer], second: list[Answer]) -> Iterator[str]:
    """Whether explanations hang on the explainer seed as the card says.

    Where they are the same the card may still be right: others may differ (a sample that is the whole on few words).
    """
    said = run.submission.card.stochastic
    differing = [before.item for before, after in zip(first, second, strict=True) if not _alike(before, after)]
    if said is False and differing:
        yield f"{differing[0]}: another explainer seed gives another explanation; say stochastic = true in the card"
    elif said and not differing:
        yield ReportNote(f"its card says stochastic = true, and {ITEMS} explanations are the same under two seeds")
    elif said is None:
        found = "true" if differing else "false"
        yield ReportNote(
            f"its card does not say whether it hangs on the explainer seed: stochastic = {found}, it seems"
        )


def _wrong(answers: list[Answer]) -> Iterator[str]:
    for answer in answers:
        if answer.status != Status.OK:
            plain = PLAIN.get(Status(answer.status), "gives nothing")
            yield f"{answer.item}: it {plain}: {answer.reason}"


def _unlike(first: list[Answer], second: list[Answer]) -> Iterator[str]:
    for before, after in zip(first, second, strict=True):
        if not _alike(before, after):
            yield f"{before.item}: a second explanation differs; draw randomness from item.explainer_seed alone"


def _alike(first: Answer, second: Answer) -> bool:
    return first.arrays.keys() == second.arrays.keys() and all(
        np.array_equal(first.arrays[name], second.arrays[name]) for name in first.arrays
    )


def _last_lines(runs: list[Run]) -> str:
    logs = [log for run in runs if (log := run.folder / "explain.log").is_file()]
    lines = logs[-1].read_text(encoding="utf-8", errors="replace").splitlines() if logs else []
    return "\n".join(lines[-LOG_LINES:])
