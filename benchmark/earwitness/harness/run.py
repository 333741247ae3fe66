"""Running submissions on tasks: originals once a task, then explain, then score; the same call resumes."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from earwitness.box.storage import remove
from earwitness.errors import EarwitnessError, NotComparableError, unwritten
from earwitness.harness import explain, orders, recipe, score, watched
from earwitness.harness.claim import adopt, claimed, made_with, scored_with
from earwitness.harness.explain import Shard
from earwitness.harness.locks import locked
from earwitness.harness.needs import require_packages
from earwitness.harness.orders import ExplainJob
from earwitness.harness.outside import answering
from earwitness.harness.score import ProblemJob
from earwitness.results import rows
from earwitness.results.rows import RECIPE, Status
from earwitness.results.seals import drop_unsealed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from earwitness.harness.engines import Engine
    from earwitness.harness.recipe import Run
    from earwitness.harness.score import Prepared, ScoreJob

STAMP = "made_with"
LOG = ".score.log"
JOBS_OF_ONE_WORKER = 2
"""Units for which a second process would spend longer on loading than on scoring."""


class Progress(Protocol):
    """Shows how far a stage is."""

    def bar(self, label: str, total: int) -> Callable[[int], None]:
        """Begin a bar; the function that is returned advances it."""

    def say(self, line: str) -> None:
        """Tell the user something."""


class Silent:
    """Shows nothing."""

    def bar(self, label: str, total: int) -> Callable[[int], None]:
        """Begin nothing."""
        return lambda _: None

    def say(self, line: str) -> None:
        """Say nothing."""


@dataclass
class RunOutcome:
    """What became of one run."""

    run: Run
    items: int = 0
    failed: int = 0
    """Items without an explanation that could be scored."""
    seconds: float = 0.0
    """CPU seconds of all its explanations."""
    done: bool = False
    begun: bool = True
    """Whether its folder is there; one that could not start leaves none."""
    errors: list[str] = field(default_factory=list)
    """Why parts of it are missing."""
    shared: list[str] = field(default_factory=list)
    """Those of the errors that every run of the task has."""
    reasons: dict[str, int] = field(default_factory=dict)
    """Why items failed, with their number."""


@dataclass
class Session:
    """What one call of `execute` works with."""

    engine: Engine
    progress: Progress
    outcomes: dict[str, RunOutcome] = field(default_factory=dict)
    explained: Callable[[Run, Shard], bool] = explain.is_explained
    """Whether a shard of explanations is taken for what it says."""

    def of(self, prepared: dict[str, Prepared]) -> list[RunOutcome]:
        """Outcomes of the runs whose items are known."""
        return [self.outcomes[name] for name in prepared]

    def failed(self, run: Run, error: Exception) -> None:
        """Keep an error of a run; a program's own fault is raised."""
        if not isinstance(error, EarwitnessError):
            raise error
        if str(error) not in self.outcomes[run.name].errors:
            self.outcomes[run.name].errors.append(str(error))


def execute(runs: Sequence[Run], engine: Engine, progress: Progress | None = None) -> list[RunOutcome]:
    """Run all that is not done yet and return what became of each run, errors included.

    A run that could not start leaves no folder.
    """
    session = Session(engine, progress or Silent())
    session.outcomes = {run.name: RunOutcome(run) for run in runs}
    made = {out: _absent(out) for out in dict.fromkeys(run.out for run in runs)}
    outcomes = list(session.outcomes.values())
    try:
        with locked(runs, session.progress.say):
            _execute(runs, session)
    finally:
        for out, paths in made.items():
            _drop_made(out, paths, [outcome for outcome in outcomes if outcome.run.out == out])
    return outcomes


def _execute(runs: Sequence[Run], session: Session) -> None:
    outcomes = list(session.outcomes.values())
    new = [outcome for outcome in outcomes if not outcome.run.folder.exists()]
    try:
        todo = [run for run in runs if not claimed(run, session.progress.say)]
        prepared: dict[str, Prepared] = {}
        if todo := _with_packages(todo, session):
            prepared = _prepare(todo, session)
            _explain(prepared, session)
            _score(prepared, session)
        for outcome in outcomes:
            _finish(outcome, prepared.get(outcome.run.name))
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


def _drop_made(out: Path, made: Sequence[Path], outcomes: Sequence[RunOutcome]) -> None:
    """Delete what was made of a folder of runs where none of them began, but a log that an error names.

    Originals that are made are kept: others may be at work there, and the next run needs them.
    """
    log, originals = out / LOG, out / recipe.ORIGINALS
    named = str(log) in str([outcome.errors for outcome in outcomes])
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


def _prepare(runs: Sequence[Run], session: Session) -> dict[str, Prepared]:
    """The items of each run, by its name; originals are made once for all runs of the same setting."""
    groups: dict[tuple[Any, ...], list[Run]] = {}
    for run in runs:
        asked = run.arguments
        of_items = (asked.items, asked.seed, asked.fresh, asked.device, asked.explainer_seeds)
        groups.setdefault((run.explained, str(run.task.folder), *of_items), []).append(run)
    drop_stale_originals(runs[0].out)
    advance = session.progress.bar("originals", len(groups))
    found: dict[str, Prepared] = {}
    of_first = {group[0].name: group for group in groups.values()}
    first = [group[0] for group in groups.values()]
    for job, result in orders.computed(session.engine, score.prepare, first, runs[0].out / LOG, 1):
        for run in of_first[job.name]:
            if isinstance(result, Exception):
                session.failed(run, result)
                session.outcomes[run.name].shared.append(str(result))
            else:
                found[run.name] = result
                recipe.write(run.folder, _made_by(session.engine, {**recipe.read(run.folder), "device": result.device}))
        advance(1)
    return found


def drop_stale_originals(out: Path) -> None:
    """Originals are derived: those that another version of a package made are made again.

    Those of other code lie in a folder of its hash.
    """
    folder = out / recipe.ORIGINALS
    stamp = json.dumps(made_with({"versions": recipe.versions()}), sort_keys=True)
    path = folder / STAMP
    try:
        if path.is_file() and path.read_bytes() == stamp.encode():
            return
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(stamp, encoding="utf-8")
    except OSError as error:
        raise unwritten(path, error) from error


def _made_by(engine: Engine, stored: dict[str, Any]) -> dict[str, Any]:
    """A recipe with the engine among those that had a part in the run: rows do not hang on it."""
    known: list[dict[str, Any]] = stored.get("engines", [])
    this = {"engine": engine.name, "workers": engine.workers}
    return stored if this in known else {**stored, "engines": [*known, this]}


def _explain(prepared: dict[str, Prepared], session: Session) -> None:
    """Explain what is missing, a box a run, several boxes side by side."""
    jobs = [
        ExplainJob(outcome.run, tuple(todo), next(iter(prepared[outcome.run.name].items.values()), ()))
        for outcome in session.of(prepared)
        if (todo := explain.missing(outcome.run, prepared[outcome.run.name].shards))
    ]
    total = sum(len(shard.items) for job in jobs for shard in job.shards)
    if not jobs:
        return
    advance = session.progress.bar("explain", total)
    before = watched.seen([job.run for job in jobs])
    for job, result in _driven(jobs, session.engine, advance):
        if isinstance(result, Exception):
            session.failed(job.run, result)
    if touched := watched.changed(before):
        more = f" and {len(touched) - 1} more" if len(touched) > 1 else ""
        raise EarwitnessError(
            f"{touched[0]}{more} changed while submissions were explained, and nothing was scored; restore what was "
            "changed, and run code that you do not trust with --isolation bwrap"
        )


def _driven(
    jobs: Sequence[ExplainJob], engine: Engine, advance: Callable[[int], None]
) -> Iterator[tuple[ExplainJob, Exception | None]]:
    """Each job, or part of one, with the error that it ended in, if any."""
    if engine.apart:
        # A shard a job: what is lost with a worker is one, and has one more try.
        parts = [part for job in jobs for part in orders.lanes(job, len(job.shards))]
        for part, result in orders.computed(engine, orders.explained, parts, jobs[0].run.out / LOG):
            advance(sum(len(shard.items) for shard in part.shards))
            yield part, result
        return

    def drive(job: ExplainJob) -> None:
        if job.run.submission.card.explanations:
            answering.take(job.run, job.items, job.shards, advance)
        else:
            explain.explain(job.run, job.shards, advance, engine.stopped, explain.How(job.lane))

    each = -(-engine.lanes // len(jobs))
    yield from engine.drive(drive, [part for job in jobs for part in orders.lanes(job, each)])


def _score(prepared: dict[str, Prepared], session: Session) -> None:
    """Score what is explained and has no rows yet, a job a shard; runs of one task stand together."""
    jobs: list[ScoreJob | ProblemJob] = []
    for outcome in sorted(session.of(prepared), key=lambda outcome: outcome.run.task.id):
        run, ready = outcome.run, prepared[outcome.run.name]
        explained = [shard.name for shard in ready.shards if session.explained(run, shard)]
        drop_unsealed(run.rows, run.name, "*.parquet")
        jobs += score.missing(run, explained)
        if ready.problems and not score.is_scored(run, score.PROBLEMS):
            jobs.append(ProblemJob(run, ready.problems))
    if not jobs:
        return
    advance = session.progress.bar("score", len(jobs))
    workers = 1 if len(jobs) <= JOBS_OF_ONE_WORKER else None
    for job, result in orders.computed(session.engine, score.score, jobs, jobs[0].run.out / LOG, workers):
        if isinstance(result, Exception):
            session.failed(job.run, result)
        advance(1)


def _finish(outcome: RunOutcome, prepared: Prepared | None) -> None:
    """Count what the run has, and close its recipe where nothing is missing."""
    run = outcome.run
    if not (run.folder / RECIPE).is_file():  # another process that could not start it took it away
        return
    stored = recipe.read(run.folder)
    table = rows.read_run(run.folder)
    if stored["state"] != "done":
        expected = [] if prepared is None else [shard.name for shard in prepared.shards]
        if prepared is not None and prepared.problems:
            expected.append(score.PROBLEMS)
        whole = prepared is not None and all(score.is_scored(run, part) for part in expected)
        _count(outcome, table)
        stored |= {
            "state": "done" if whole else "incomplete",
            "finished": recipe.now(),
            "items": outcome.items,
            "failed": outcome.failed,
            "rows": {"number": len(table), "fingerprint": rows.fingerprint(table)},
        }
        recipe.write(run.folder, stored)
        if whole:
            for left in run.folder.glob(f"{run.scratch.parent.name}*"):
                remove(left)
    else:
        _count(outcome, table)
    outcome.done = stored["state"] == "done"


def _count(outcome: RunOutcome, table: pa.Table) -> None:
    """Items, failures and CPU seconds from the rows."""
    spent: dict[tuple[str, int], float] = {}
    failed: dict[str, str] = {}
    columns = ("item", "explainer_seed", "seconds", "status", "reason")
    for item, seed, seconds, status, reason in zip(*(table[column].to_pylist() for column in columns), strict=True):
        spent[item, seed] = seconds
        if status not in (Status.OK, Status.SKIPPED):
            failed[item] = reason
    outcome.items, outcome.failed = len({item for item, _ in spent}), len(failed)
    outcome.seconds = sum(spent.values())
    outcome.reasons = dict(Counter(failed.values()).most_common())


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
    prepared = _prepare([run], session)
    if prepared and not all(explain.is_there(run, shard) for shard in prepared[run.name].shards):
        recipe.write(folder, stored)
        raise EarwitnessError(f"{folder} lacks explanations; run the same `earwitness run` command to finish it")
    if prepared:
        shutil.rmtree(run.rows, ignore_errors=True)
        fresh = recipe.describe(run, stored["command"])
        recipe.write(folder, {**recipe.read(folder), **scored_with(fresh), "device": prepared[run.name].device})
        _score(prepared, session)
    else:
        recipe.write(folder, stored)
    _finish(session.outcomes[run.name], prepared.get(run.name))
    return session.outcomes[run.name]
