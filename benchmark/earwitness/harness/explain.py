"""The explain stage: one submission in its box over the items of one task, shard by shard, each shard a file."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from earwitness import box as boxes
from earwitness.box import UNISOLATED, Answer, BoxError, Brief, Cost, Guard
from earwitness.box.aliases import alias
from earwitness.box.storage import empty, remove
from earwitness.errors import EarwitnessError, one_line
from earwitness.harness.answers import Losses, answers_of, lost
from earwitness.harness.needs import BYTES
from earwitness.held_out import secret_of
from earwitness.identity import digest
from earwitness.results.file_names import OF_SEED
from earwitness.results.rows import INLINE, Status
from earwitness.results.seals import is_sealed, seal
from earwitness.scoring.files import write_arrays

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import numpy as np

    from earwitness.box import Box
    from earwitness.harness.recipe import Run
    from earwitness.tracks import Item

SHARD = 16
"""Consecutive items of one submission that are explained, stored and scored together, at most."""
SHARD_SECONDS = 7200.0
"""CPU seconds that explaining a shard may take by the task's budget; a shard that is cut off is begun anew."""
COPIES = 3
"""Of a model in float32 that a box has room for beside what any box has."""


@dataclass(frozen=True)
class Shard:
    """Consecutive items with the name of their files, and the number of the explainer seed that they carry."""

    name: str
    items: tuple[Item, ...]
    seed: int = 0


@dataclass(frozen=True)
class Explained:
    """What is known of an item's explanation beside its arrays."""

    status: str
    reason: str
    cost: Cost


def shard_size(seconds: float) -> int:
    """Items of a shard of a task whose budget leaves an explanation so many CPU seconds.

    >>> [shard_size(seconds) for seconds in (60.0, 300.0, 600.0, 3600.0, 14400.0)]
    [16, 16, 12, 2, 1]
    """
    return max(1, min(SHARD, int(SHARD_SECONDS // seconds)))


def shards(items: Mapping[int, Sequence[Item]], size: int = SHARD) -> list[Shard]:
    """The items in shards, under one explainer seed after the other; their order tells nothing of the dataset's."""
    first = next(iter(items), 0)
    return [
        Shard(
            f"{start:05d}" if seed == first else f"{start:05d}{OF_SEED}{seed}",
            tuple(some[start : start + size]),
            seed,
        )
        for seed, some in ((seed, sorted(some, key=alias)) for seed, some in items.items())
        for start in range(0, len(some), size)
    ]


def path_of(run: Run, shard: str) -> Path:
    """File of a shard's explanations."""
    return run.explanations / f"{shard}.safetensors"


def missing(run: Run, parts: Sequence[Shard]) -> list[Shard]:
    """Shards that are not explained yet, or not by a run of this user's."""
    return [shard for shard in parts if not is_explained(run, shard)]


def is_explained(run: Run, shard: Shard) -> bool:
    """Whether a shard's explanations are there, and are what a run of this user's wrote of these items."""
    return is_sealed(path_of(run, shard.name), place(run, shard))


def is_there(run: Run, shard: Shard) -> bool:
    """Whether a shard's file is there, whoever wrote it, and answers for these items."""
    path = path_of(run, shard.name)
    return path.is_file() and set(read(path)[0]) == {item.id for item in shard.items}


def place(run: Run, shard: Shard) -> str:
    """What a shard's seal names beside its file: its run, and its items."""
    return digest([run.name, [item.id for item in shard.items]])


@dataclass(frozen=True)
class How:
    """How one of a run's boxes differs from another: where it writes, and what keeps it from the rest."""

    suffix: str = ""
    """Of the name of the folder that it may write to: boxes of a run that are at work side by side share none."""
    isolation: str = ""
    """Its level; empty for the run's."""


def explain(
    run: Run,
    todo: Sequence[Shard],
    on_shard: Callable[[int], None] = lambda _: None,
    stopped: Callable[[], bool] = lambda: False,
    how: How = How(),
) -> None:
    """Explain the given shards in one box, which may keep what it has of a shard in its scratch folder until that is
    stored.

    An item that its explainer fails on is stored with a status and a reason. Raises EarwitnessError where a file cannot
    be written.
    """
    # The folder above is nobody else's: what a submission writes is not to be reached from elsewhere.
    scratch = run.scratch.parent.with_name(f"{run.scratch.parent.name}{how.suffix}") / run.scratch.name
    brief = replace(brief_of(run), scratch=str(scratch.resolve()))
    arguments = replace(run.arguments, isolation=how.isolation or run.arguments.isolation)
    box = box_of(replace(run, arguments=arguments), brief, run.folder / "explain.log", stopped)
    losses, done = Losses(), False
    try:
        _make(scratch)
        refusal = _opened(box)
        for shard in todo:
            _make(scratch)
            if refusal is None:
                answers = answers_of(box, shard.items, losses)
            else:
                answers = [lost(item, refusal) for item in shard.items]
            store(run, shard, answers, box.isolation)
            empty(scratch)
            on_shard(len(shard.items))
        done = True
    finally:
        box.close()
        if done:
            remove(scratch.parent)


def box_of(run: Run, brief: Brief, log: Path, stopped: Callable[[], bool] = lambda: False) -> Box:
    """The box that a run's submission explains in, not opened yet.

    Raises EarwitnessError where the submission is from the hub, or the task holds a secret, and the run's isolation
    keeps nothing from the submission's code.
    """
    strange = f"{run.submission.source}: a submission from the hub is a stranger's" if run.submission.source else ""
    secret = f"{of_task}: no submission may know its secret" if (of_task := secret_of(run.task)) else ""
    if (strange or secret) and run.arguments.isolation in (*UNISOLATED, INLINE):
        raise EarwitnessError(
            f"{strange or secret}, and isolation {run.arguments.isolation!r} keeps nothing from its code; use "
            "--isolation bwrap or landlock"
        )
    return boxes.create(run.arguments.isolation, brief, guard_of(run), log, stopped)


def _make(scratch: Path) -> None:
    """Make the folder that a submission may write to; one that another user's programs could reach it is not."""
    with suppress(OSError):
        scratch.parent.mkdir(parents=True, exist_ok=True)
        scratch.parent.chmod(0o700)
        scratch.mkdir(exist_ok=True)


def store(run: Run, shard: Shard, answers: Sequence[Answer], isolation: str) -> None:
    """Write a shard's explanations and seal them; raises EarwitnessError where they cannot be written."""
    path = path_of(run, shard.name)
    write(path, answers, described(run, isolation, shard))
    seal(path, place(run, shard))


def described(run: Run, isolation: str, shard: Shard) -> dict[str, Any]:
    """What a shard's file says beside its explanations."""
    return {"run": run.name, "isolation": isolation, "explainer_seed": shard.seed + run.arguments.seed}


def _opened(box: Box) -> BoxError | None:
    """Open the box; the error where it cannot be opened, which no item can then change.

    One that was killed while it was opened is opened once more.
    """
    for last in (False, True):
        try:
            box.open()
        except BoxError as error:
            if last or not error.killed:
                return error
        else:
            break
    return None


def brief_of(run: Run) -> Brief:
    """All that the box is told."""
    card, budget = run.task.card, run.submission.budget
    return Brief(
        track=card.track,
        adapter=card.model.adapter,
        source=run.task.source(card.model.source),
        revision=card.model.revision,
        parameters=card.model.parameters,
        submission=str(run.submission.folder),
        device=run.arguments.device,
        budget=0 if budget is None else budget.value,
        batch_size=run.arguments.batch_size,
    )


def guard_of(run: Run) -> Guard:
    """The task's budget, and room for the model, its gradients and a copy where the card says how large it is."""
    budget, parameters = run.task.card.budget, run.task.card.needs.parameters or 0
    return Guard(budget.seconds, budget.forwards, memory=Guard.memory + COPIES * BYTES * parameters)


def write(path: Path, answers: Sequence[Answer], fields: dict[str, Any]) -> None:
    """Write a shard's explanations under a temporary name and move them into place.

    Raises EarwitnessError where they cannot be written; no half-written file is left behind.
    """
    arrays = {f"{answer.item}/{name}": array for answer in answers for name, array in answer.arrays.items()}
    described = {a.item: {"status": a.status, "reason": a.reason, "cost": asdict(a.cost)} for a in answers}
    write_arrays(path, arrays, {**fields, "items": described})


def read(path: Path) -> tuple[dict[str, Explained], dict[str, dict[str, np.ndarray]], dict[str, Any]]:
    """A shard's items in their order, the arrays of those with an explanation, and the shard's other fields.

    Raises EarwitnessError on a broken file.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            fields = json.loads(file.metadata()["fields"])
        described = {
            item: Explained(Status(entry["status"]), str(entry["reason"]), Cost(**entry["cost"]))
            for item, entry in fields.pop("items").items()
        }
        str(fields["isolation"])
        int(fields.get("explainer_seed", 0))
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        reason = one_line(error) if isinstance(error, SafetensorError | OSError) else "it is not what a run wrote"
        raise EarwitnessError(f"{path} holds no explanations: {reason}; delete it and run the same command") from error
    own: dict[str, dict[str, np.ndarray]] = {}
    for key, array in arrays.items():
        item, _, name = key.rpartition("/")
        own.setdefault(item, {})[name] = array
    return described, own, fields
