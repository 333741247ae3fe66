"""What runs will cost here, before they begin: one item of each is explained and scored in a folder that is gone after.

A submission is asked for the first item alone; what it does with that is taken for what it does with each.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earwitness.errors import EarwitnessError
from earwitness.harness import explain, score
from earwitness.harness.needs import BYTES, needs, takes
from earwitness.harness.outside import answering
from earwitness.harness.recipe import ORIGINALS
from earwitness.results.rows import Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from earwitness.harness.engines import Engine
    from earwitness.harness.recipe import Run
    from earwitness.harness.score import Prepared, ScoreJob
    from earwitness.harness.session import Progress
    from earwitness.task import Task

WEIGHTS, DATA = "weights ", "data "
"""What a line of `needs` begins with that is fetched."""


@dataclass(frozen=True)
class Forecast:
    """What one run will cost, of one item; None where nothing could be metered."""

    task: str
    submission: str
    items: int
    """Explanations: items times explainer seeds."""
    forwards: float | None = None
    """Of the model, by the submission, an item."""
    backwards: float | None = None
    explain_seconds: float | None = None
    """CPU seconds an item."""
    score_seconds: float | None = None
    """Seconds an item, of the processor on a CPU, the originals included."""
    peak_bytes: int | None = None
    """Memory that the submission took beside what the model had."""
    disk_bytes: int | None = None
    """An item: originals, explanation, rows, and what people see and hear."""
    download_bytes: int = 0
    """Of weights that are not here, at four bytes a parameter."""
    download_known: bool = True
    """Whether nothing comes on top: data, judges, weights of which the card does not say how many parameters."""
    notes: tuple[str, ...] = ()

    @property
    def seconds(self) -> float | None:
        """Of the whole run, one job after the other, without the time that models take to load."""
        if self.explain_seconds is None or self.score_seconds is None:
            return None
        return self.items * (self.explain_seconds + self.score_seconds)

    def record(self) -> dict[str, Any]:
        """As JSON types."""
        return {**asdict(self), "notes": list(self.notes), "seconds": self.seconds}


def forecast(runs: list[Run], engine: Engine, progress: Progress) -> list[Forecast]:
    """What each run will cost; nothing is left on disk, and nothing is fetched."""
    advance = progress.bar("one item", len(runs))
    found = []
    for run in runs:
        found.append(_of(run, engine))
        advance(1)
    return found


def _of(run: Run, engine: Engine) -> Forecast:
    asked = run.arguments
    items = answering.asked_for(run.task, asked.items) * len(asked.explainer_seeds)
    known = Forecast(run.task.id, run.submission.id, items)
    if missing := needs(run.task):
        card = run.task.card
        most = f"at most {card.budget.forwards} forward equivalents and {card.budget.seconds:g} CPU seconds an item"
        note = f"not metered, {', '.join(missing)} not here; known without: {takes(run.task)}; {most}"
        size, whole = _download(run.task, missing)
        return replace(known, download_bytes=size, download_known=whole, notes=(note,))
    with tempfile.TemporaryDirectory(prefix="earwitness-dry-run-") as folder:
        arguments = replace(asked, items=1, explainer_seeds=asked.explainer_seeds[:1])
        try:
            return _metered(replace(run, arguments=arguments, out=Path(folder)), engine, known)
        except EarwitnessError as error:
            return replace(known, notes=(f"not metered: {error}",))


def _download(task: Task, missing: list[str]) -> tuple[int, bool]:
    """Bytes of the model to fetch, as far as they are known, and whether they are all that is to be fetched."""
    fetched = [each for each in missing if each.startswith((WEIGHTS, DATA))]
    of_model = [each for each in fetched if each.startswith(f"{WEIGHTS}{task.card.model.source}")]
    parameters = task.card.needs.parameters or 0
    size = parameters * BYTES if of_model else 0
    return size, len(fetched) == len(of_model) and (not of_model or parameters > 0)


def _metered(run: Run, engine: Engine, known: Forecast) -> Forecast:
    """The forecast of a run of one item; raises EarwitnessError where its task or submission cannot be opened."""
    log = run.out / "log"
    (_, made), *_ = engine.compute(timed_prepare, [run], log, 1)
    if isinstance(made, Exception):
        raise made
    prepared, making = made
    if not prepared.shards:
        raise EarwitnessError(f"the first item of {run.task.id} cannot be explained: {prepared.problems[0].reason}")
    (shard,) = prepared.shards
    if run.submission.card.explanations:
        answering.take(run, shard.items, [shard])
    else:
        explain.explain(run, [shard], stopped=engine.stopped)
    ((_, explained),) = explain.read(explain.path_of(run, shard.name))[0].items()
    (_, scoring), *_ = engine.compute(timed_score, [score.ScoreJob(run, shard.name)], log, 1)
    if isinstance(scoring, Exception):
        raise scoring
    cost = explained.cost
    disk = sum(
        _size(folder) for folder in (run.out / ORIGINALS, run.explanations, run.rows, run.folder / score.EXHIBITS)
    )
    failed = () if explained.status == Status.OK else (f"its first item {explained.status}: {explained.reason}",)
    return replace(
        known, forwards=cost.forwards, backwards=cost.backwards, explain_seconds=cost.seconds,
        score_seconds=making + scoring, peak_bytes=cost.peak_bytes, disk_bytes=disk, notes=failed,
    )  # fmt: skip


def timed_prepare(run: Run) -> tuple[Prepared, float]:
    """The items of a run, and the seconds that making their originals took once all was loaded; runs in a worker."""
    clock = _loaded(run)
    begun = clock()
    return score.prepare(run), clock() - begun


def timed_score(job: ScoreJob) -> float:
    """Score a shard and return the seconds that it took once all was loaded; runs in a worker."""
    clock = _loaded(job.run)
    begun = clock()
    score.score_shard(job)
    return clock() - begun


def _loaded(run: Run) -> Callable[[], float]:
    """Load what scores, and return its clock: of its processor, which others on this machine do not slow down."""
    resolved = score.resolve(run.setting)
    score.load(resolved)
    return time.process_time if resolved.device == "cpu" else time.perf_counter


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
