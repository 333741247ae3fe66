"""Work that is sent to where disk is all that is shared: texts with the run's folder, the stage, shards and item ids.

No array travels: a worker opens the run from its recipe, finds the items itself, and leaves files. What comes back
names those files by their SHA-256, and this side seals them, so that the run can be gone on with by any engine.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from earwitness.errors import EarwitnessError, NotComparableError
from earwitness.harness import explain, recipe, score
from earwitness.harness.claim import made_with
from earwitness.harness.explain import Shard
from earwitness.harness.outside import answering
from earwitness.harness.score import Prepared, ProblemJob, ScoreJob
from earwitness.harness.threads import one_thread
from earwitness.results.seals import is_sealed, seal
from earwitness.scoring import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from earwitness.harness.engines import Engine
    from earwitness.harness.recipe import Run
    from earwitness.tracks import Item

SLOW = 10.0
"""Seconds after which a file that another machine wrote is seen on a shared disk."""


@dataclass(frozen=True)
class ItemName:
    """An item of which this process knows the id alone."""

    id: str


@dataclass(frozen=True)
class ExplainJob:
    """Shards of a run that a box explains, one after the other."""

    run: Run
    shards: tuple[Shard, ...]
    items: tuple[Item, ...]
    """All of the run's, under its first explainer seed; none where only their names are known."""
    lane: str = ""
    """Tells the boxes of a run that are at work side by side apart."""


def lanes(job: ExplainJob, count: int) -> list[ExplainJob]:
    """A job's shards, dealt out to at most so many boxes."""
    count = max(1, min(count, len(job.shards)))
    return [
        ExplainJob(job.run, job.shards[lane::count], job.items, f"-{lane}" if lane else "") for lane in range(count)
    ]


def computed(
    engine: Engine, function: Callable[[Any], Any], jobs: Sequence[Any], log: Path, workers: int | None = None
) -> Iterator[tuple[Any, Any]]:
    """Each job with its result or the error it ended in, as `Engine.compute` gives them, wherever the workers are.

    `function` is `score.prepare`, of runs, or `score.score`, or `explained`, of their jobs.
    """
    if not engine.apart:
        yield from engine.compute(function, jobs, log, workers)
        return
    by_text = {_text(function.__name__, job): job for job in jobs}
    for text, said in engine.compute(fulfil, list(by_text), log, workers):
        job = by_text[text]
        try:
            yield job, said if isinstance(said, Exception) else _taken(job, json.loads(said))
        except EarwitnessError as error:
            yield job, error


def explained(job: ExplainJob) -> None:
    """The function of explaining on a worker: its name stands for it, and `fulfil` does it."""
    raise NotImplementedError


def _text(stage: str, job: Any) -> str:
    run: Run = job if stage == score.prepare.__name__ else job.run
    found: dict[str, Any] = {"stage": stage, "run": str(run.folder.resolve())}
    if isinstance(job, ExplainJob):
        found["shards"] = [[shard.name, shard.seed, [item.id for item in shard.items]] for shard in job.shards]
    elif isinstance(job, ScoreJob):
        found |= {"shard": job.shard, "exhibits": job.exhibits}
    elif isinstance(job, ProblemJob):
        found["problems"] = [[problem.item, problem.reason] for problem in job.problems]
    return json.dumps(found)


def fulfil(text: str) -> str:
    """Do what a text asks for and say what came of it, as JSON; runs on a worker.

    Raises NotComparableError where the worker's code or packages are not those that the run began with, EarwitnessError
    where the disk cannot be read or written.
    """
    with one_thread():
        return json.dumps(_fulfilled(json.loads(text)))


def _fulfilled(asked: dict[str, Any]) -> dict[str, Any]:
    run = _opened(Path(asked["run"]))
    if asked["stage"] == score.prepare.__name__:
        prepared = score.prepare(run)
        parts = [[shard.name, shard.seed, [item.id for item in shard.items]] for shard in prepared.shards]
        named = [[problem.item, problem.reason] for problem in prepared.problems]
        return {"shards": parts, "problems": named, "device": prepared.device}
    if asked["stage"] == explained.__name__:
        return {"files": _explained(run, asked["shards"])}
    problems = tuple(Problem(*each) for each in asked.get("problems", ()))
    job = ProblemJob(run, problems) if problems else ScoreJob(run, asked["shard"], asked["exhibits"])
    failed = score.score(job)
    path = score.rows_path(run, score.PROBLEMS if problems else asked["shard"])
    return {"failed": failed, "files": _named(path, run.name)}


def _opened(folder: Path) -> Run:
    """The run of a folder, where this worker would make the same of it."""
    where = f"worker {os.environ.get('SLURMD_NODENAME') or socket.gethostname()}"
    try:
        run, stored = recipe.reopen(folder), recipe.read(folder)
    except NotComparableError as error:
        raise NotComparableError(f"{where}: {error}") from error
    except EarwitnessError as error:
        raise EarwitnessError(f"{where}: {error}") from error
    before, here = made_with(stored), made_with({"versions": recipe.versions()})
    if before != here:
        name = min(name for name in before.keys() | here.keys() if before.get(name) != here.get(name))
        raise NotComparableError(
            f"{where} has {name} {here.get(name, 'not at all')}, and the run is made with {before.get(name, 'none')}: "
            "install the same there"
        )
    if recipe.explained(stored) != run.explained or stored.get("measured") != run.measured:
        raise NotComparableError(f"{where} has other code of earwitness than the run is made with; install the same")
    return run


def _explained(run: Run, parts: list[Any]) -> dict[str, Any]:
    """Explain shards, and the files that hold their explanations."""
    by_seed = score.prepare(run).items
    score.forget()
    known = {(seed, item.id): item for seed, items in by_seed.items() for item in items}
    shards = [Shard(name, tuple(known[seed, id] for id in ids), seed) for name, seed, ids in parts]
    if run.submission.card.explanations:
        answering.take(run, next(iter(by_seed.values())), shards)
    else:
        explain.explain(run, shards, how=explain.How(f"-{shards[0].name}", _level(run)))
    found: dict[str, Any] = {}
    for shard in shards:
        found |= _named(explain.path_of(run, shard.name), explain.place(run, shard))
    return found


def _level(run: Run) -> str:
    """The isolation that this worker has for a run: the run's, or its strongest where the user asked for none.

    Raises EarwitnessError where it has none that keeps anything out, and the run's does.
    """
    from earwitness.box import UNISOLATED, levels

    asked = run.arguments.isolation
    if asked in UNISOLATED or not levels.lacking(asked):
        return asked
    if "isolation" in run.typed:
        levels.require(asked)
    return levels.isolated(f"worker {socket.gethostname()}")


def _named(path: Path, place: str) -> dict[str, Any]:
    return {str(path): [place, hashlib.sha256(path.read_bytes()).hexdigest()]}


def _taken(job: Any, said: dict[str, Any]) -> Any:
    """The result of a job from what a worker said; raises EarwitnessError where its files are not here."""
    if "shards" in said:
        parts = tuple(Shard(name, cast("Any", tuple(map(ItemName, ids))), seed) for name, seed, ids in said["shards"])
        return Prepared({}, tuple(Problem(*each) for each in said["problems"]), said["device"], named=parts)
    for name, (place, digest) in said["files"].items():
        _seal(Path(name), place, digest)
    return said.get("failed")


def _seal(path: Path, place: str, digest: str) -> None:
    """Seal a file that a worker wrote, whose key may be another."""
    end = time.monotonic() + SLOW
    while not path.is_file() and time.monotonic() < end:
        time.sleep(0.1)
    if not path.is_file():
        raise EarwitnessError(f"{path}: a worker wrote it, and it is not here; name a folder by --out that all share")
    if is_sealed(path, place):
        return
    if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
        raise EarwitnessError(f"{path} is not what a worker wrote; run the same command to make it again")
    seal(path, place)
