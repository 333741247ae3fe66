"""The score stage: the rows of one shard of explanations, in a worker process that holds a scoring."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from earwitness import scoring, tracks
from earwitness.box import Cost, devices
from earwitness.errors import one_line, short
from earwitness.explaining.batches import at_most, room
from earwitness.harness import explain
from earwitness.harness.explain import Explained
from earwitness.harness.passes import PassTimer
from earwitness.precision import dtype_of
from earwitness.results.rows import MADE_ELSEWHERE, SELF_REPORTED, UNVERIFIED, Row, Status, write_part
from earwitness.results.seals import is_sealed, seal
from earwitness.scoring import Problem, Scoring, Setting, Value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np

    from earwitness.harness.explain import Shard
    from earwitness.harness.recipe import Run
    from earwitness.tracks import Explanation, Item

EXHIBITS = "exhibits"
"""Folder of a run with what its explanations left for people to see and hear."""
PROBLEMS = "problems"
"""Part with the rows of items that cannot be explained."""
_OPENED: dict[tuple[Any, ...], Scoring] = {}


@dataclass(frozen=True)
class Prepared:
    """The public items of a setting, and what rows need to know of them."""

    items: Mapping[int, tuple[Item, ...]]
    """By the number of the explainer seed that they carry, in the run's order."""
    problems: tuple[Problem, ...]
    device: str
    size: int = explain.SHARD
    """Items of a shard."""
    named: tuple[Shard, ...] = ()
    """The shards, of which only names are known, where the items are with workers elsewhere."""

    @property
    def shards(self) -> list[Shard]:
        """All shards of a run, in their order."""
        return explain.shards(self.items, self.size) if self.items else list(self.named)


@dataclass(frozen=True)
class ScoreJob:
    """A shard of a run to be scored: always whole, in one process, so that its rows are the same bits every time."""

    run: Run
    shard: str
    exhibits: bool = True
    """Whether exhibits are left for people to see and hear; the rows are the same either way."""


@dataclass(frozen=True)
class ProblemJob:
    """Items that cannot be explained, to be written as rows of a run."""

    run: Run
    problems: tuple[Problem, ...]


def rows_path(run: Run, shard: str) -> Path:
    """File of a shard's rows."""
    return run.rows / f"{shard}.parquet"


def missing(run: Run, shards: Sequence[str]) -> list[ScoreJob]:
    """Explained shards whose rows are not written yet."""
    return [ScoreJob(run, shard) for shard in shards if not is_scored(run, shard)]


def is_scored(run: Run, shard: str) -> bool:
    """Whether a shard's rows are there, and are what scoring wrote here."""
    return is_sealed(rows_path(run, shard), run.name)


def prepare(run: Run) -> Prepared:
    """Make the originals that a run explains; runs in a worker.

    Raises EarwitnessError where model or dataset cannot be read, or the device's memory holds too little.
    """
    resolved = resolve(run.setting)
    opened = load(resolved)
    with at_most(run.arguments.batch_size), room(f"the originals of {run.task.id}"):
        items, problems = opened.items()
    seeded = {seed: tuple(opened.seeded(item, seed) for item in items) for seed in run.arguments.explainer_seeds}
    size = explain.shard_size(run.task.card.budget.seconds)
    return Prepared(seeded, tuple(problems), resolved.device, size)


def resolve(setting: Setting) -> Setting:
    """The setting on the device that it means here; raises EarwitnessError where there is none, or it lacks the dtype
    that the task's model computes in.
    """
    return replace(setting, device=devices.resolve(setting.device, dtype_of(setting.task)))


def load(setting: Setting) -> Scoring:
    """The scoring of a setting, opened once in a process and kept until another is asked for."""
    of_task = (setting.task.hash, setting.task.card.model_dump_json())
    key = (*of_task, setting.items, setting.seed, setting.fresh, setting.device, setting.cache)
    if key not in _OPENED:
        _OPENED.clear()
        _OPENED[key] = scoring.load(setting)
    return _OPENED[key]


def forget() -> None:
    """Let go of the scoring that this process keeps: a box needs the memory."""
    _OPENED.clear()


def score(job: ScoreJob | ProblemJob) -> int:
    """Write the rows of a job and return how many of its items failed; runs in a worker."""
    return score_shard(job) if isinstance(job, ScoreJob) else write_problems(job)


def score_shard(job: ScoreJob) -> int:
    """Write the rows of a shard and return how many of its items failed.

    Raises EarwitnessError where rows cannot be written, or the device's memory holds too little.
    """
    with at_most(job.run.arguments.batch_size), room(f"scoring {job.run.submission.id} on {job.run.task.id}"):
        return _score_shard(job)


def _score_shard(job: ScoreJob) -> int:
    run = job.run
    described, arrays, fields = explain.read(explain.path_of(run, job.shard))
    opened = load(resolve(run.setting))
    described, explanations = _built(run, described, arrays)
    answered = list(explanations)
    by_id = {item.id: item for item in opened.items(answered)[0]} if answered else {}
    pairs = [(by_id[item], explanations[item]) for item in answered]
    seed = int(fields.get("explainer_seed", run.arguments.seed))
    shown = job.exhibits and seed == first_seed(run)
    folder = run.folder / EXHIBITS if shown else None
    with PassTimer(getattr(opened, "model", None) if pairs else None) as timer:
        values = dict(zip(answered, opened.score(pairs, folder), strict=True)) if pairs else {}
    clusters = opened.clusters()
    rows = [
        row
        for item, explained in described.items()
        for row in _item_rows(
            _Place(run, item, clusters[item], fields["isolation"], seed, timer.plausible(explained.cost.seconds)),
            explained,
            values.get(item),
        )
    ]
    _store(run, job.shard, rows)
    return len(described) - len(answered)


def _built(
    run: Run, described: dict[str, Explained], arrays: dict[str, dict[str, np.ndarray]]
) -> tuple[dict[str, Explained], dict[str, Explanation]]:
    """How explaining each item went, and the explanations of those that have one; arrays that make none are invalid."""
    kind = tracks.load(run.task.card.track).explanation
    explanations: dict[str, Explanation] = {}
    for item, explained in described.items():
        if explained.status == Status.OK:
            try:
                explanations[item] = kind.build(arrays.get(item, {}))
            except Exception as error:  # what a stored array can raise is the explainer's doing
                described = {**described, item: replace(explained, status=Status.INVALID, reason=one_line(error))}
    return described, explanations


def write_problems(job: ProblemJob) -> int:
    """Write the rows of items that cannot be explained and return their number."""
    run = job.run
    clusters = load(resolve(run.setting)).clusters()
    rows = [
        row
        for problem in job.problems
        for row in _item_rows(
            _Place(
                run, problem.item, clusters.get(problem.item, problem.item), run.arguments.isolation, first_seed(run)
            ),
            Explained(Status.INVALID, short(problem.reason), Cost()),
            None,
        )
    ]
    _store(run, PROBLEMS, rows)
    return len(job.problems)


def _store(run: Run, shard: str, rows: Sequence[Row]) -> None:
    """Write a shard's rows and seal them; raises EarwitnessError where they cannot be written."""
    write_part(rows, rows_path(run, shard))
    seal(rows_path(run, shard), run.name)


@dataclass(frozen=True)
class _Place:
    """What all rows of one item share beside its cost."""

    run: Run
    item: str
    cluster: str
    isolation: str
    explainer_seed: int
    plausible_forwards: float | None = None


def first_seed(run: Run) -> int:
    """The explainer seed, as rows have it, whose explanations people see and hear."""
    return run.arguments.explainer_seeds[0] + run.arguments.seed


def _item_rows(place: _Place, explained: Explained, values: list[Value] | None) -> list[Row]:
    """The rows of one item; without values one row a metric says why."""
    card = place.run.task.card
    if values is None:
        seed = card.generation_seeds[0] + place.run.arguments.seed
        values = [Value(metric.id, seed, None, explained.status, explained.reason) for metric in card.metrics]
    return [_row(place, explained.cost, value) for value in values]


def _row(place: _Place, cost: Cost, value: Value) -> Row:
    run, seen = place.run, place.isolation != MADE_ELSEWHERE
    return Row(
        submission=run.submission.id,
        submission_hash=run.submission_hash,
        task=run.task.id,
        task_version=run.task.card.version,
        task_hash=run.task_hash,
        metric=value.metric,
        metric_hash=run.measured[value.metric],
        item=place.item,
        cluster=place.cluster,
        generation_seed=value.generation_seed,
        explainer_seed=place.explainer_seed,
        value=value.value,
        status=str(value.status),
        reason=value.reason,
        seconds=cost.seconds,
        forwards=cost.forwards,
        backwards=cost.backwards,
        peak_bytes=cost.peak_bytes,
        isolation=place.isolation,
        run=run.name,
        metering=SELF_REPORTED if seen else UNVERIFIED,
        plausible_forwards=place.plausible_forwards if seen else None,
    )
