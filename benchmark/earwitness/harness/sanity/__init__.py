"""Sanity checks of an entrant: does it explain the model, or would it say the same of any?

Its explanations of a run's first items are made again with the model's parameters drawn anew, layer by layer from the
output (Adebayo et al., arXiv 1810.03292), and with what is explained moved about. What speaks against it is that they
are as much like those of the trained model as its own are under another explainer seed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from earwitness.errors import EarwitnessError, NotComparableError
from earwitness.harness import explain, recipe
from earwitness.harness.answers import answers_of
from earwitness.harness.sanity.conditions import SEED, TRAINED, Condition, Conditions, ConditionsJob, prepare
from earwitness.harness.sanity.judging import Answered, Given, judge
from earwitness.harness.score import first_seed
from earwitness.harness.session import Silent
from earwitness.harness.stages import LOG
from earwitness.results.rows import RECIPE
from earwitness.results.sanity import Sanity, write_sanity

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from earwitness.harness.engines import Engine
    from earwitness.harness.recipe import Run
    from earwitness.harness.session import Progress

J = TypeVar("J", bound="ConditionsJob | _JudgeJob")
R = TypeVar("R")
ITEMS = 8
"""First items of a run that are looked at."""
FOLDER = "sanity"
"""Folder of a run with what its submission answered, so that a stopped look goes on."""


def of_run(folder: Path, engine: Engine, progress: Progress | None = None, items: int = ITEMS) -> Sanity:
    """Look at the sanity of a run's submission on the run's first items, and store what is found beside the run.

    What was answered before is kept, so that the same call goes on where it stopped. Raises EarwitnessError where the
    folder is no finished run, or its model cannot be read, NotComparableError where its task or submission has changed.
    """
    run, stored = recipe.reopen(folder), recipe.read(folder)
    if run.submission.card.explanations:
        raise EarwitnessError(
            f"{folder}: explanations of {run.submission.id} were made elsewhere, and none can be asked for when the "
            "model is spoiled; look at the sanity of submissions with code"
        )
    if stored["state"] != "done" or run.folder.resolve() != folder.resolve():
        raise EarwitnessError(f"{folder} is no finished run ({stored['state']}) under its own name; run it again first")
    if recipe.explained(stored) != run.explained:
        raise NotComparableError(
            f"{folder}: the code of the task's track, model or dataset has changed since it was explained; run again"
        )
    asked = _computed(engine, prepare, ConditionsJob(run, items))
    _ask(run, asked, engine, progress or Silent())
    found = _computed(engine, _judged, _JudgeJob(run, asked))
    write_sanity(run.folder, found)
    return found


def _computed(engine: Engine, function: Callable[[J], R], job: J) -> R:
    """What a function gives of a job, in a worker; raises what it raises."""
    ((_, answer),) = list(engine.compute(function, [job], job.run.out / LOG, 1))
    if isinstance(answer, Exception):
        raise answer
    return answer


def done_runs(out: Path, task: str, submission: str) -> list[Path]:
    """Folders of the finished runs of a submission on a task, the one of most items first."""
    found = []
    for path in sorted(out.glob(f"{task}__{submission}__*/{RECIPE}")):
        stored = recipe.read(path.parent)
        if stored["state"] == "done":
            found.append((-int(stored.get("items", 0)), path.parent))
    return [folder for _, folder in sorted(found)]


@dataclass(frozen=True)
class _BoxJob:
    """Conditions that one state of the model serves."""

    run: Run
    conditions: tuple[Condition, ...]


@dataclass(frozen=True)
class _JudgeJob:
    run: Run
    asked: Conditions


def _judged(job: _JudgeJob) -> Sanity:
    """What the answers that lie beside a run say of its submission; runs in a worker."""
    answers = {c.name: kept for c in job.asked.conditions if (kept := _kept(job.run, c)) is not None}
    return judge(job.run, job.asked, Given.of(job.run.task.card.track, answers))


def _ask(run: Run, asked: Conditions, engine: Engine, progress: Progress) -> None:
    """Ask the submission under each condition that it has not answered yet, a box for each state of the model."""
    todo: dict[tuple[str, ...], list[Condition]] = {}
    for condition in asked.conditions:
        if _kept(run, condition) is None:
            todo.setdefault(condition.redrawn, []).append(condition)
    if not todo:
        return
    jobs = [_BoxJob(run, tuple(conditions)) for conditions in todo.values()]
    advance = progress.bar("sanity", sum(len(each.items) for job in jobs for each in job.conditions))

    def drive(job: _BoxJob) -> None:
        _answer(job, engine, advance)

    for _, result in engine.drive(drive, jobs):
        if isinstance(result, Exception):
            raise result


def _path(run: Run, condition: Condition) -> Path:
    return run.folder / FOLDER / f"{condition.name}.safetensors"


def _stamp(run: Run, condition: Condition) -> dict[str, Any]:
    """What answers depend on, beside what is in the run's own identity."""
    return {"run": run.name, "explained": run.explained, "redrawn": list(condition.redrawn), "seed": SEED}


def _kept(run: Run, condition: Condition) -> Answered | None:
    """What was answered before under a condition: in the run itself where nothing is spoiled, or when this was last
    looked at; None where an item is lacking.
    """
    wanted = {item.id for item in condition.items}
    described: dict[str, explain.Explained] = {}
    arrays: dict[str, Any] = {}
    own, path = condition.name == TRAINED, _path(run, condition)
    files = sorted(run.explanations.glob("*.safetensors")) if own else [path] if path.is_file() else []
    for path in files:
        some, theirs, fields = explain.read(path)
        if own and int(fields.get("explainer_seed", first_seed(run))) != first_seed(run):
            continue
        if not own and {key: fields.get(key) for key in _stamp(run, condition)} != _stamp(run, condition):
            return None
        described |= {item: each for item, each in some.items() if item in wanted}
        arrays |= {item: each for item, each in theirs.items() if item in wanted}
    return (described, arrays) if wanted == set(described) else None


def _answer(job: _BoxJob, engine: Engine, advance: Callable[[int], None]) -> None:
    """Write down what a box answers under each condition; raises BoxError where it cannot be opened."""
    run, redrawn = job.run, job.conditions[0].redrawn
    brief = replace(explain.brief_of(run), redrawn=redrawn, redraw_seed=SEED)
    log = run.folder / FOLDER / f"{job.conditions[0].name}.log"
    box = explain.box_of(run, brief, log, engine.stopped)
    try:
        box.open()
        for condition in job.conditions:
            answers = answers_of(box, condition.items)
            explain.write(_path(run, condition), answers, {**_stamp(run, condition), "isolation": box.isolation})
            advance(len(condition.items))
    finally:
        box.close()
