"""An explainer object on a task in this process: for code that its user trusts, such as that of a test suite."""

from __future__ import annotations

import copy
import hashlib
import inspect
import random
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch

from earwitness import tracks
from earwitness.box import Answer, devices, seed_of
from earwitness.box.child import Bench, answers
from earwitness.box.meter import Meter
from earwitness.errors import EarwitnessError, one_line
from earwitness.harness import explain, score
from earwitness.harness.answers import answers_of
from earwitness.harness.claim import claimed
from earwitness.harness.fingerprints import fingerprint
from earwitness.harness.recipe import ORIGINALS, Arguments, Run
from earwitness.harness.run import execute
from earwitness.harness.stages import drop_stale_originals
from earwitness.harness.threads import one_thread
from earwitness.precision import dtype_of
from earwitness.results.rows import INLINE, Status
from earwitness.scoring import Setting
from earwitness.scoring.loading import load_model
from earwitness.submission import Submission
from earwitness.submission_card import ExplainerCard, SubmissionCard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from earwitness.box import Guard
    from earwitness.task import Task
    from earwitness.tracks import Item

J = TypeVar("J")
R = TypeVar("R")


class ObjectSubmission(Submission):
    """An explainer object, with the card that its class implies."""

    def __init__(self, explainer: Any, name: str, track: str, origin: str) -> None:
        """Describe an explainer under the submission's id `name`; `origin` tells objects of equal source apart.

        Raises EarwitnessError where it is no explainer of the track.
        """
        base = tracks.load(track).explainer
        if not isinstance(explainer, base):
            raise EarwitnessError(f"{type(explainer).__name__} does not subclass {base.__name__}, the track's base")
        if not name.isidentifier():
            raise EarwitnessError(f"submission {name!r} is no identifier; give another name")
        kind = type(explainer)
        card = SubmissionCard(
            id=name,
            title=kind.__name__,
            authors=(),
            licence="",
            explainers={track: ExplainerCard(explainer=kind.__name__.lstrip("_"))},
        )
        try:
            source = inspect.getsourcefile(kind)
        except (TypeError, OSError):  # A class that was typed: its module has no file.
            source = None
        super().__init__(card, Path(source).parent if source else Path.cwd())
        known = fingerprint(explainer)
        described = known or repr(sorted(vars(explainer).items(), key=lambda pair: pair[0]))
        code = Path(source).read_bytes() if source and Path(source).is_file() else b""
        told = "\0".join([kind.__qualname__, described, origin]).encode()
        self._object_hash = hashlib.sha256(told + code).hexdigest()[:16]

    def hash_for(self, track: str) -> str:
        """Identity of the object: SHA-256 over its module's source and its attributes, 16 hex digits."""
        return self._object_hash


class InlineBox:
    """Explains where it is called, with the seeds, the meter and the budget of a box."""

    isolation = INLINE

    def __init__(self, bench: Bench, guard: Guard) -> None:
        self.device = str(bench.model.device)
        self._bench = bench
        self._guard = guard
        self._meter = Meter(bench.model)

    def open(self) -> None:
        """Do nothing: model and explainer are loaded."""

    def close(self) -> None:
        """Do nothing."""

    def explain(self, items: Sequence[Item]) -> list[Answer]:
        """One answer for each item, in their order."""
        return [self._held(answer) for answer in answers(self._bench, self._meter, list(items), _seeds(items))]

    def _held(self, answer: Answer) -> Answer:
        """The answer, held against the budget."""
        excess = self._guard.excess(answer.cost) if answer.status == Status.OK else ""
        return replace(answer, status=Status.TIMED_OUT, reason=excess, arrays={}) if excess else answer


def _seeds(items: Sequence[Item]) -> list[int]:
    return [seed_of(item.id) for item in items]


class InlineEngine:
    """Runs every job where it is called."""

    name = "local"
    workers = lanes = 1
    apart = False

    def stopped(self) -> bool:
        """Whether jobs should end: never, an interrupt reaches them by itself."""
        return False

    def drive(self, function: Callable[[J], R], jobs: Iterable[J]) -> Iterator[tuple[J, R | Exception]]:
        """Run jobs one after the other."""
        for job in jobs:
            try:
                yield job, function(job)
            except EarwitnessError as error:
                yield job, error

    def compute(
        self, function: Callable[[J], R], jobs: Iterable[J], log: Path, workers: int | None = None
    ) -> Iterator[tuple[J, R | Exception]]:
        """Run jobs one after the other."""
        return self.drive(function, jobs)

    def close(self) -> None:
        """Let go of what was started: nothing."""


@dataclass(frozen=True)
class Subject:
    """An explainer object, the id that its rows carry, and what tells it from another object of equal source."""

    explainer: Any
    name: str
    origin: str = ""
    submission: Submission | None = None
    """The submission that the explainer is of; None where its class alone says what it is."""


def run_object(subject: Subject, task: Task, arguments: Arguments, out: Path, exhibits: bool = False) -> Path:
    """Explain and score a task's items with an explainer object and return the run's folder; a finished one is kept.

    The rows are those that `earwitness run` would make of the same code, but for costs; `exhibits` leaves what people
    see and hear of each item. A run that other code or other versions of packages made is moved aside, with a warning.
    Raises EarwitnessError where model or dataset cannot be read, or the object is no explainer of the task's track.
    """
    arguments = replace(arguments, isolation=INLINE)
    submission = subject.submission or ObjectSubmission(
        subject.explainer, subject.name, task.card.track, subject.origin
    )
    run = Run(task, submission, arguments, out)
    # Before anything is explained: `execute` would move explanations of other packages aside, and have none.
    if run.folder.exists() and claimed(run, lambda line: warnings.warn(line, stacklevel=4)):
        return run.folder
    # Else `execute` would find originals that no version is known of, and make them again.
    drop_stale_originals(out)
    with _settled():
        prepared = score.prepare(run)
        todo = explain.missing(run, prepared.shards)
        if todo:
            _explain(run, todo, open_bench(subject.explainer, task, prepared.device))
        for job in score.missing(run, [shard.name for shard in prepared.shards]):
            score.score_shard(replace(job, exhibits=exhibits))
        (outcome,) = execute([run], InlineEngine())
    if outcome.errors:
        raise EarwitnessError("; ".join(outcome.errors))
    return run.folder


def _explain(run: Run, todo: Sequence[explain.Shard], bench: Bench) -> None:
    box = InlineBox(bench, explain.guard_of(run))
    for shard in todo:
        explain.store(run, shard, answers_of(box, shard.items), box.isolation)


def open_bench(explainer: Any, task: Task, device: str) -> Bench:
    """An explainer with its own copy of a task's model: what it does to the model, scoring never sees."""
    model = load_model(task, devices.resolve(device, dtype_of(task)))
    if task.own_model is not None and task.own_model.loaded is not None:
        try:
            model = copy.deepcopy(model)
        except Exception as error:
            raise EarwitnessError(
                f"the model in memory cannot be copied for the explainer: {one_line(error)}"
            ) from error
    return Bench(tracks.load(task.card.track), model, explainer)


def first_items(task: Task, count: int, seed: int, out: Path) -> tuple[Item, ...]:
    """The first items of a task that can be explained; originals are kept under `out`."""
    setting = Setting(task, count, seed, None, "cpu", out / ORIGINALS)
    with _settled():
        return tuple(score.load(setting).items()[0])


@dataclass(frozen=True)
class Passes:
    """What the explanation of one item asked of the model, counted, not timed."""

    item: str
    forwards: int
    """Forward passes, in sequences."""
    backwards: int


def count_passes(bench: Bench, items: Sequence[Item]) -> list[Passes]:
    """Passes of the model for each item, explained alone; raises EarwitnessError where an explanation fails."""
    meter, passes = Meter(bench.model), []
    with _settled():
        for item in items:
            (answer,) = answers(bench, meter, [item], _seeds([item]))
            if answer.status != Status.OK:
                raise EarwitnessError(f"{item.id}: {answer.status}: {answer.reason}")
            passes.append(Passes(item.id, answer.cost.forwards, answer.cost.backwards))
    return passes


@contextmanager
def _settled() -> Iterator[None]:
    """One thread, so that sums have one order; the caller's threads and global generators are given back after."""
    numbers, python = np.random.get_state(), random.getstate()  # noqa: NPY002
    try:
        with one_thread(), torch.random.fork_rng(devices=[]):
            yield
    finally:
        np.random.set_state(numbers)  # noqa: NPY002
        random.setstate(python)
