"""Running submissions on tasks: originals once a task, then explain, then score; the same call resumes."""

from __future__ import annotations

import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

from earwitness.errors import EarwitnessError, NotComparableError
from earwitness.harness import explain, recipe, stages
from earwitness.harness.claim import adopt, claimed, scored_with
from earwitness.harness.locks import locked
from earwitness.harness.needs import require_packages
from earwitness.harness.session import RunOutcome, Session, Silent
from earwitness.harness.stages import LOG, STAMP
from earwitness.results.rows import RECIPE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from earwitness.harness.engines import Engine
    from earwitness.harness.recipe import Run
    from earwitness.harness.score import Prepared
    from earwitness.harness.session import Progress


def execute(runs: Sequence[Run], engine: Engine, progress: Progress | None = None) -> list[RunOutcome]:
    """Run all that is not done yet and return what became of each run, errors included.

    A run that could not start leaves no folder.
    """
    session = Session(engine, progress or Silent())
    session.outcomes = {run.name: RunOutcome(run) for run in runs}
    made = {out: _absent(out) for out in dict.fromkeys(run.out for run in runs)}
    outcomes = list(session.outcomes.values())
    said = ""
    try:
        with locked(runs, session.progress.say):
            _execute(runs, session)
    except EarwitnessError as error:
        said = str(error)
        raise
    finally:
        for out, paths in made.items():
            _drop_made(out, paths, [outcome for outcome in outcomes if outcome.run.out == out], said)
    return outcomes


def _execute(runs: Sequence[Run], session: Session) -> None:
    outcomes = list(session.outcomes.values())
    new = [outcome for outcome in outcomes if not outcome.run.folder.exists()]
    try:
        todo = [run for run in runs if not claimed(run, session.progress.say)]
        prepared: dict[str, Prepared] = {}
        if todo := _with_packages(todo, session):
            prepared = stages.prepare(todo, session)
            stages.explain_missing(prepared, session)
            stages.score_missing(prepared, session)
        for outcome in outcomes:
            stages.finish(outcome, prepared.get(outcome.run.name))
    finally:
        for outcome in new:
            _drop_unbegun(outcome)


def _with_packages(runs: Sequence[Run], session: Session) -> list[Run]:
    """Runs whose tasks' packages are installed: what scores is known to be missing before anything is explained."""
    found: list[Run] = []
    for run in runs:
        try:
            require_packages(run.task)
        except EarwitnessError as error:
            session.failed(run, error)
            session.outcomes[run.name].shared.append(str(error))
        else:
            found.append(run)
    return found


def _drop_unbegun(outcome: RunOutcome) -> None:
    """Delete the folder of a run that holds its recipe and nothing else."""
    folder = outcome.run.folder
    if [path.name for path in folder.glob("*")] == [RECIPE]:
        _remove(folder / RECIPE, folder)
    outcome.begun = folder.exists()


def _absent(out: Path) -> list[Path]:
    """What is not there of a folder of runs, of those above it and of what the stages keep in it, inmost first."""
    kept = (out / LOG, out / recipe.ORIGINALS / STAMP, out / recipe.ORIGINALS)
    return [path for path in (*kept, out, *out.parents) if not path.exists()]


def _drop_made(out: Path, made: Sequence[Path], outcomes: Sequence[RunOutcome], said: str = "") -> None:
    """Delete what was made of a folder of runs where none of them began, but a log that an error, or `said`, names.

    Originals that are made are kept: others may be at work there, and the next run needs them.
    """
    log, originals = out / LOG, out / recipe.ORIGINALS
    named = str(log) in str([said, *(outcome.errors for outcome in outcomes)])
    used = any(path.name != STAMP for path in originals.glob("*"))
    if any(outcome.begun for outcome in outcomes):
        return
    for path in made:
        with suppress(OSError):
            if path.is_dir():
                path.rmdir()
            elif not (named if path == log else used):
                path.unlink()


def _remove(file: Path, folder: Path) -> None:
    """Delete a file and the folder that it was alone in."""
    with suppress(OSError):
        file.unlink(missing_ok=True)
        folder.rmdir()


def rescore(folder: Path, engine: Engine, progress: Progress | None = None) -> RunOutcome:
    """Score a run again from its explanations, by all metrics of its card as it is now, and return what became of it.

    Explanations, and what they cost, are what their files say, whoever wrote them.

    A folder of the first format is renamed. Raises EarwitnessError where explanations are missing, NotComparableError
    where its submission, or what is explained, has changed.
    """
    run = recipe.reopen(folder)
    if "format" in recipe.read(folder) and folder.resolve() != run.folder.resolve():
        raise EarwitnessError(f"{folder} is a copy or was renamed: it is scored under its own name, {run.name}")
    adopt(run, (progress or Silent()).say)
    folder = run.folder if run.folder.is_dir() else folder
    stored = recipe.read(folder)
    if recipe.explained(stored) != run.explained or not run.folder.is_dir():
        raise NotComparableError(
            f"{folder}: the code of the task's track, model or dataset has changed since it was explained; run again"
        )
    if stored["state"] != "done" and not stored.get("items"):
        raise EarwitnessError(f"{folder} is not explained yet; run the same `earwitness run` command to finish it")
    session = Session(engine, progress or Silent(), {run.name: RunOutcome(run)}, explain.is_there)
    recipe.write(folder, {**stored, "state": "running"})
    prepared = stages.prepare([run], session)
    if prepared and not all(explain.is_there(run, shard) for shard in prepared[run.name].shards):
        recipe.write(folder, stored)
        raise EarwitnessError(f"{folder} lacks explanations; run the same `earwitness run` command to finish it")
    if prepared:
        shutil.rmtree(run.rows, ignore_errors=True)
        fresh = recipe.describe(run, stored["command"])
        recipe.write(folder, {**recipe.read(folder), **scored_with(fresh), "device": prepared[run.name].device})
        stages.score_missing(prepared, session)
    else:
        recipe.write(folder, stored)
    stages.finish(session.outcomes[run.name], prepared.get(run.name))
    return session.outcomes[run.name]
