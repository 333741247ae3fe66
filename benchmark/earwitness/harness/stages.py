"""The stages of runs: originals once a task, then explain, then score, then the recipe is closed; each resumes."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from typing import TYPE_CHECKING, Any

from earwitness.box.storage import remove
from earwitness.errors import EarwitnessError, unwritten
from earwitness.harness import explain, orders, recipe, score, watched
from earwitness.harness.claim import made_with
from earwitness.harness.orders import ExplainJob
from earwitness.harness.outside import answering
from earwitness.harness.score import ProblemJob
from earwitness.results import rows
from earwitness.results.rows import RECIPE, Status
from earwitness.results.seals import drop_unsealed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa

    from earwitness.harness.engines import Engine
    from earwitness.harness.recipe import Run
    from earwitness.harness.score import Prepared, ScoreJob
    from earwitness.harness.session import RunOutcome, Session

STAMP = "made_with"
LOG = ".score.log"
JOBS_OF_ONE_WORKER = 2
"""Units for which a second process would spend longer on loading than on scoring."""


def prepare(runs: Sequence[Run], session: Session) -> dict[str, Prepared]:
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


def explain_missing(prepared: dict[str, Prepared], session: Session) -> None:
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


def score_missing(prepared: dict[str, Prepared], session: Session) -> None:
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


def finish(outcome: RunOutcome, prepared: Prepared | None) -> None:
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
