"""A run: its folder, and the recipe (`run.json`) from which anyone can make its rows again."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import cache, cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from earwitness import registry
from earwitness.errors import EarwitnessError, NotComparableError
from earwitness.held_out import HeldOutTask, held_out, public_task
from earwitness.identity import digest
from earwitness.own_input import reopened
from earwitness.own_model import recorded_twin, with_model
from earwitness.precision import DEFAULT, before_cast, dtype_of, in_dtype
from earwitness.results import former
from earwitness.results.curves import RecordedBudget
from earwitness.results.documents import read_document
from earwitness.results.rows import MADE_ELSEWHERE, RECIPE, RowsCard
from earwitness.results.task_hashes import TaskHash
from earwitness.results.writing import moved_into_place
from earwitness.scoring import Setting
from earwitness.scoring.measured import measured
from earwitness.submission import read_submission
from earwitness.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from earwitness.submission import Submission
    from earwitness.task import Task

ORIGINALS = ".originals"
"""Folder beside the runs in which scoring keeps originals."""
PACKAGES = (
    *("torch", "torchaudio", "transformers", "tokenizers", "safetensors", "numpy", "scipy", "soundfile", "pyarrow"),
    *("datasets", "hear21passt"),
)
"""Packages whose version can change a row."""
ONE_SEED = (0,)
"""Explainer seeds of a run that asks for no others."""
FORMAT = 2
"""Of recipes. The first had no such key, and one hash for all that a task's folder holds."""


class _Data(BaseModel):
    id: str
    hash: str
    folder: str
    data_hash: str = ""
    model: str = ""
    own_model: str | None = None
    before_cast: dict[str, str | None] | None = None
    copies: dict[str, str] = {}


class _Entrant(_Data):
    source: str = ""
    budget: RecordedBudget | None = None


class _Some(BaseModel):
    model_config = ConfigDict(extra="forbid")

    items: int | None = None
    seed: int = 0
    explainer_seeds: list[int] = [0]
    fresh: int | None = None
    held_out: str = ""
    device: str = ""
    isolation: str = ""
    dtype: str = ""
    batch_size: int | None = None


class _Asked(BaseModel):
    typed: _Some
    defaulted: _Some


class _Whole(BaseModel):
    """What a recipe must hold for its run to be gone on with."""

    run: str
    state: str
    task: _Data
    submission: _Entrant
    arguments: _Asked
    identity: str = ""
    command: list[str] = []
    versions: dict[str, str] = {}
    measured: dict[str, str] = {}
    rows: RowsCard | None = None
    items: int = 0


@dataclass(frozen=True)
class Arguments:
    """What a run depends on beside its task and its submission."""

    items: int | None = None
    seed: int = 0
    """Shifts all seeds."""
    fresh: int | None = None
    device: str = "auto"
    isolation: str = "process"
    explainer_seeds: tuple[int, ...] = ONE_SEED
    """Each item is explained under each of them."""
    held_out: str = ""
    """Where the task's held-out items are from, as `--held-out` names it; empty for the card's items."""
    dtype: str = DEFAULT
    """What the model was asked to compute in; one that was not asked for is the card's."""
    batch_size: int | None = None
    """Most rows a pass of the model; None for as many as fit. No row hangs on it, but for rounding."""

    @classmethod
    def of(cls, recorded: Mapping[str, Any]) -> Arguments:
        """Those of a recipe."""
        seeds = tuple(recorded.get("explainer_seeds", ONE_SEED))
        return cls(**{**recorded, "explainer_seeds": seeds})

    def taken_by(self, submission: Submission) -> Arguments:
        """As they are for a submission: one that does not hang on the explainer seed is asked under the first alone;
        explanations that are handed in are one an item, and have nothing to be kept from.
        """
        if submission.card.explanations:
            return replace(self, isolation=MADE_ELSEWHERE, explainer_seeds=ONE_SEED)
        if submission.card.stochastic is False:
            return replace(self, explainer_seeds=self.explainer_seeds[:1])
        return self

    @property
    def described(self) -> dict[str, Any]:
        """As identities hold them: a run under one explainer seed is what it was before there were several, the task
        itself says which items are held out and what its model computes in, and a batch changes no row."""
        known = asdict(self)
        for name in ("held_out", "dtype", "batch_size"):
            del known[name]
        if self.explainer_seeds == ONE_SEED:
            del known["explainer_seeds"]
        return known


@dataclass(frozen=True)
class Run:
    """One submission on one task: where its files lie and what it was asked for."""

    task: Task
    submission: Submission
    arguments: Arguments
    out: Path
    typed: frozenset[str] = field(default=frozenset())
    """Names of the arguments that the user gave; the others are defaults."""

    @cached_property
    def name(self) -> str:
        """Name of the run's folder."""
        return f"{self.task.id}__{self.submission.id}__{self.identity[:8]}"

    @cached_property
    def identity(self) -> str:
        """Hash of what is explained, by what and how: the task's data, the submission, where it is fetched from, the
        arguments.

        The task's code is no part of it: a run whose code has changed keeps its name, so that it is found and moved.
        """
        source = [self.submission.source] if self.submission.source else []
        return digest([self.task.data_hash, self.submission_hash, self.arguments.described, *source])

    @property
    def folder(self) -> Path:
        """Folder of the run."""
        return self.out / self.name

    @property
    def explanations(self) -> Path:
        """Folder of the explanations' parts."""
        return self.folder / "explanations"

    @property
    def scratch(self) -> Path:
        """Folder that the submission's box may write to, emptied with every shard that is stored."""
        return self.folder / "scratch" / "kept"

    @property
    def rows(self) -> Path:
        """Folder of the rows' parts."""
        return self.folder / "rows"

    @cached_property
    def explained(self) -> str:
        """Identity of what is explained, submission and seeds apart, read from disk once."""
        return self.task.hash

    @cached_property
    def measured(self) -> dict[str, str]:
        """Identity of what each metric measures, by its id, read from disk once."""
        return measured(self.task)

    @cached_property
    def submission_hash(self) -> str:
        """Identity of the submission on the task's track, read from disk once."""
        return self.submission.hash_for(self.task.card.track)

    @cached_property
    def task_hash(self) -> str:
        """Identity of the task in rows: fresh items never meet the card's, nor do other seeds."""
        return TaskHash(self.explained, self.arguments.seed, self.arguments.fresh).text

    @property
    def setting(self) -> Setting:
        """What scoring is opened for."""
        asked = self.arguments
        fresh = self.task.fresh if isinstance(self.task, HeldOutTask) else asked.fresh
        return Setting(self.task, asked.items, asked.seed, fresh, asked.device, self.out / ORIGINALS)


def describe(run: Run, command: list[str]) -> dict[str, Any]:
    """The recipe of a run that begins now."""
    arguments = {**asdict(run.arguments), "explainer_seeds": list(run.arguments.explainer_seeds)}
    twin = recorded_twin(run.task)
    return {
        "format": FORMAT,
        "run": run.name,
        "identity": run.identity,
        "state": "running",
        "started": now(),
        "finished": None,
        "command": command,
        "arguments": {
            "typed": {name: value for name, value in arguments.items() if name in run.typed},
            "defaulted": {name: value for name, value in arguments.items() if name not in run.typed},
        },
        "seeds": {
            "generation": [seed + run.arguments.seed for seed in run.task.card.generation_seeds],
            "explainer": [seed + run.arguments.seed for seed in run.arguments.explainer_seeds],
            "fresh": run.arguments.fresh,
            "seed_key": run.task.seed_key,
        },
        "isolation": run.arguments.isolation,
        "device": None,
        "dtype": dtype_of(run.task),
        "task": {
            "id": run.task.id,
            "hash": run.explained,
            "data_hash": run.task.data_hash,
            "task_hash": run.task_hash,
            "folder": str(run.task.folder),
            "model": run.task.model_name,
            "own_model": None if run.task.own_model is None else run.task.own_model.identity,
            "before_cast": before_cast(run.task),
            "twin": None if twin is None else twin.model_dump(),
            "copies": run.task.copies,
            "card": public_task(run.task).card.model_dump(mode="json"),
        },
        "submission": {
            "id": run.submission.id,
            "hash": run.submission_hash,
            "folder": str(run.submission.folder),
            "source": run.submission.source,
            "card": run.submission.card.model_dump(mode="json"),
            "budget": _budget(run),
        },
        "measured": run.measured,
        **environment(),
    }


def _budget(run: Run) -> dict[str, Any] | None:
    """Of which submission the run's is a budget; None where it is one by itself."""
    budget, track = run.submission.budget, run.task.card.track
    if budget is None:
        return None
    of = read_submission(run.submission.folder)
    return RecordedBudget(of=budget.of, of_hash=of.hash_for(track), value=budget.value).model_dump()


def environment() -> dict[str, Any]:
    """Versions, commit and machine that rows are made with."""
    return {
        "versions": versions(),
        "git": git_state(),
        "platform": {
            "system": platform.platform(),
            "machine": platform.machine(),
            "processor": platform.processor(),
            "cpus": os.cpu_count(),
        },
    }


@cache
def versions() -> dict[str, str]:
    """Versions of what can change a row, read without importing it."""
    found = {"earwitness": VERSION, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@cache
def git_state() -> dict[str, Any] | None:
    """Commit and dirty flag of the checkout that the library is imported from; None outside one."""
    root = registry.PACKAGE.parent.parent
    if not (root / ".git").exists():
        return None
    try:
        commit = _git(root, "rev-parse", "HEAD")
        dirty = bool(_git(root, "status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit, "dirty": dirty}


def _git(root: Path, *arguments: str) -> str:
    result = subprocess.run(
        ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True, timeout=30
    )
    return result.stdout.strip()


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def write(folder: Path, recipe: dict[str, Any], exclusive: bool = False) -> None:
    """Write a recipe under a temporary name and move it into place; `exclusive` leaves one that is there alone.

    Recipes are published: paths in the user's home begin with `~`. Raises EarwitnessError where it cannot be written.
    """
    with moved_into_place(folder / RECIPE, exclusive=exclusive) as temporary:
        temporary.write_text(json.dumps(without_home(recipe), indent=2) + "\n", encoding="utf-8")


def without_home(value: Any) -> Any:
    """A JSON value with `~` for the user's home in each of its texts.

    >>> without_home({"folder": str(Path.home() / "tasks" / "mine")})
    {'folder': '~/tasks/mine'}
    """
    if isinstance(value, dict):
        return {key: without_home(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [without_home(each) for each in value]
    home = str(Path.home())
    return value.replace(f"{home}{os.sep}", f"~{os.sep}") if isinstance(value, str) and len(home) > 1 else value


def read(folder: Path) -> dict[str, Any]:
    """The recipe of a run's folder; raises EarwitnessError where there is none that can be read."""
    if not os.path.isfile(folder / RECIPE):
        raise EarwitnessError(f"{folder} is no run: it has no {RECIPE}")
    return read_document(folder / RECIPE, _Whole, "recipe of a run", "delete the folder and run again")


def reopen(folder: Path) -> Run:
    """The run of a folder, its task and submission found again.

    Raises NotComparableError where what is explained, or the submission, has changed since; the code that makes a
    task's items may have, and `explained` tells. Raises EarwitnessError where held-out items are not to be had.
    """
    recipe = read(folder)
    typed = recipe["arguments"]["typed"]
    arguments = Arguments.of({**typed, **recipe["arguments"]["defaulted"]})
    task = _task(folder, recipe["task"])
    if arguments.dtype != DEFAULT or "dtype" in typed:
        task = in_dtype(task, arguments.dtype)
    if arguments.held_out:
        task = held_out(task, os.path.expanduser(arguments.held_out))
    submission = _submission(recipe["submission"])
    run = Run(task, submission, arguments, folder.resolve().parent, frozenset(typed))
    for kind, then, now in (
        ("task", data_hash(recipe), task.data_hash),
        ("submission", submission_hash(recipe, run), run.submission_hash),
    ):
        if then != now:
            name = recipe[kind]["id"]
            raise NotComparableError(f"{kind} {name} has changed since the run (hash {then}, now {now}); run again")
    return run


def _submission(recorded: dict[str, Any]) -> Submission:
    """The submission that a recipe names, at its budget."""
    budget = recorded.get("budget")
    if budget is None:
        found: Submission = _found("submission", recorded, registry.submission)
        return found
    of: Submission = _found("submission", {**recorded, "id": budget["of"]}, registry.submission)
    return of.at(budget["value"])


def _task(folder: Path, recorded: dict[str, Any]) -> Task:
    """The task that a recipe names, with the model and the copies of sources that it was run with, not cast yet."""
    task: Task = reopened(_found("task", recorded, registry.task), recorded.get("card") or {})
    copies = {source: os.path.expanduser(at) for source, at in recorded.get("copies", {}).items()}
    told = recorded.get("before_cast") or recorded
    own, name = told.get("own_model"), told.get("model", "")
    try:
        if own is not None and not own.startswith("files ") and own != name:
            raise EarwitnessError("it was made with a model in memory")
        if own is not None:
            task = with_model(task, copies.get(name, name), recorded["card"]["model"]["revision"])
        return task.with_copies({source: at for source, at in copies.items() if source != name or own is None})
    except EarwitnessError as error:
        raise NotComparableError(f"{folder}: its model cannot be read again: {error}") from error


def data_hash(recipe: dict[str, Any]) -> str:
    """Hash of the task's data that a recipe names; of one of the first format what that stands for now."""
    task = recipe["task"]
    if "format" in recipe:
        return str(task.get("data_hash"))
    listed = former.task(task["hash"])
    return listed.data_hash if listed else str(task["hash"])


def explained(recipe: dict[str, Any]) -> str:
    """Identity of what a recipe's run explained; of one of the first format what that stands for now."""
    listed = None if "format" in recipe else former.task(recipe["task"]["hash"])
    return listed.hash if listed else str(recipe["task"]["hash"])


def submission_hash(recipe: dict[str, Any], run: Run) -> str:
    """Hash of the submission that a recipe names; of one of the first format what that stands for now."""
    recorded = str(recipe["submission"]["hash"])
    if "format" in recipe:
        return recorded
    listed = former.submission(recorded, run.task.card.track)
    if listed is None and recorded == former.folder_hash(run.submission.folder):
        return run.submission_hash
    return listed or recorded


def _found(kind: str, recorded: dict[str, Any], find: Any) -> Any:
    """What a recipe names, from where it was or from the registry."""
    folder = os.path.expanduser(recorded["folder"])
    here = os.path.isfile(Path(folder, f"{kind}.toml"))
    # What came from the hub stays a stranger's: its folder alone would not tell.
    return find(recorded.get("source") or (folder if here else recorded["id"]))
