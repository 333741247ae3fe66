"""The library's face: explainers scored on tasks from Python, in the caller's process, and what came of it.

`evaluate` takes an object, a class, an id, a folder or a callable in captum's manner; its rows carry the isolation
`none` and stand apart on a board.
"""

from __future__ import annotations

import re
import secrets
import tempfile
from pathlib import Path
from typing import Any

from earwitness import registry, tracks
from earwitness.api.results import Results
from earwitness.box import devices
from earwitness.errors import EarwitnessError, shortened
from earwitness.harness.fingerprints import fingerprint
from earwitness.harness.inline import Subject, run_object
from earwitness.harness.local_copies import require_fitting
from earwitness.harness.needs import needs, require_packages
from earwitness.harness.recipe import Arguments
from earwitness.own_model import with_model
from earwitness.precision import DEFAULT, dtype_of, in_dtype
from earwitness.scoring import loading
from earwitness.submission import Submission, load_explainer
from earwitness.task import Task

LARGEST_SEED = 2**63 - 1


def load_task(task: str | Path | Task, model: str | Path | None = None) -> Task:
    """A task by its id or its folder, with another model than its card's where one is named.

    Raises EarwitnessError, in one line, where there is none, or the model's folder cannot be its model.

    >>> load_task("micro_prompt").card.track
    'prompt'
    """
    found = task if isinstance(task, Task) else registry.task(str(task)).with_copies(registry.copies(Path.cwd()))
    found = found if model is None else with_model(found, str(model))
    require_fitting(found)
    return found


def load_model(
    task: str | Path | Task, model: str | Path | None = None, device: str = "auto", dtype: str | None = None
) -> Any:
    """A task's model, or another one read by the same adapter, behind its track's interface.

    `dtype` is `float32` or `bfloat16`, where its adapter takes one; what the task says by default. Raises
    EarwitnessError where it cannot be read.
    """
    found = load_task(task, model)
    found = found if dtype is None else in_dtype(found, dtype)
    return loading.load_model(found, devices.resolve(device, dtype_of(found)))


def load_submission(submission: str | Path) -> Submission:
    """A submission by its id or its folder; raises EarwitnessError, in one line, where there is none.

    >>> load_submission("random").card.kind
    'control'
    """
    return registry.submission(str(submission))


def read_results(folder: str | Path = "runs") -> Results:
    """The results of every run in a folder, or of one run's folder; raises EarwitnessError where there is none."""
    return Results.read([Path(folder)])


def evaluate(
    explainer: Any,
    task: str | Path | Task,
    model: Any = None,
    items: int | None = None,
    seed: int = 0,
    *,
    name: str = "",
    device: str = "auto",
    dtype: str | None = None,
    out: str | Path = "runs",
) -> Results:
    """Explain and score a task's items in this process; what is done already is kept, and the same call resumes.

    `explainer` is an object or a class of the track's base class, the id or the folder of a submission, or a callable
    in captum's manner (see `tracks.<track>.from_attribution`). `model` is None for the card's, a hub id or a folder
    that its adapter reads, an object that fulfils the track's interface, or one of transformers or diffusers that can
    be saved and is then read by the card's adapter, with the tokenizer and the feature extractor of the card's model
    where it saves none. `items` takes the first so many, `name` is what an object is called in rows, `out` the folder
    of the runs; `dtype`, `float32` or `bfloat16`, is what the model computes in, where its adapter takes one. Raises
    EarwitnessError, in one line, where one of them cannot be used.
    """
    _require_numbers(items, seed)
    chosen = load_task(task)
    submission, found = _explainer(explainer, chosen.card.track)
    with tempfile.TemporaryDirectory(prefix="earwitness-model-") as scratch:
        chosen = _with_model(chosen, model, device, Path(scratch))
        chosen = chosen if dtype is None else in_dtype(chosen, dtype)
        if model is None:
            _require_here(chosen)
        named = submission.id if submission is not None else name or _name_of(explainer)
        subject = Subject(found, named, _origin(explainer), submission)
        arguments = Arguments(items=items, seed=seed, device=device, dtype=dtype or DEFAULT)
        folder = run_object(subject, chosen, arguments, Path(out), exhibits=True)
    return Results.read([folder])


def _require_numbers(items: Any, seed: Any) -> None:
    for what, value, least in (("items", items, 1), ("seed", seed, 0)):
        if value is None and what == "items":
            continue
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= LARGEST_SEED:
            raise EarwitnessError(f"{what} is a whole number, at least {least}; found {shortened(repr(value))}")


def _explainer(given: Any, track: str) -> tuple[Submission | None, Any]:
    """The submission that is meant, if one is, and the explainer object; raises EarwitnessError."""
    base = tracks.load(track).explainer
    if isinstance(given, str | Path | Submission):
        submission = given if isinstance(given, Submission) else load_submission(given)
        if track not in submission.card.tracks:
            known = ", ".join(submission.card.tracks)
            raise EarwitnessError(f"submission {submission.id} is of the track {known}, the task of {track}")
        return submission, load_explainer(submission, track)
    if isinstance(given, type) and issubclass(given, base):
        try:
            return None, given()
        except TypeError as error:
            raise EarwitnessError(f"{given.__name__} needs arguments to be made: {error}; give an object") from error
    if isinstance(given, base):
        return None, given
    for other in tracks.names():
        kind = tracks.load(other).explainer
        if isinstance(given, kind) or (isinstance(given, type) and issubclass(given, kind)):
            raise EarwitnessError(f"{_name_of(given)} is an explainer of the track {other}, the task is of {track}")
    if callable(given):
        return None, tracks.load(track).from_attribution(given)
    raise EarwitnessError(
        f"{type(given).__name__} is no explainer: give an object or a class of {base.__name__}, the id or the folder "
        "of a submission, or a callable in captum's manner"
    )


def _name_of(given: Any) -> str:
    """A name for rows: of a class, a function or an object's class, in the manner of ids."""
    kind = given if isinstance(given, type) or hasattr(given, "__code__") else type(given)
    plain = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", str(getattr(kind, "__name__", "")).strip("<>_")).lower()
    plain = re.sub(r"\W", "_", plain, flags=re.ASCII)
    return plain if plain.isidentifier() else "explainer"


def _origin(given: Any) -> str:
    """What tells one object from another; where that cannot be read, no other is taken for it."""
    return fingerprint(given) or secrets.token_hex(8)


def _with_model(task: Task, model: Any, device: str, scratch: Path) -> Task:
    """The task with the model that is asked for; raises EarwitnessError where it cannot be used."""
    if model is None:
        return task
    if isinstance(model, str | Path):
        return with_model(task, str(model))
    track = tracks.load(task.card.track)
    lacking = tracks.lacks(track.model, model)
    if not lacking:
        _require_beside(model, device)
        identity = fingerprint(model) or secrets.token_hex(8)
        return task.with_loaded_model(model, type(model).__name__, identity)
    if not hasattr(model, "save_pretrained"):
        few = ", ".join(lacking[:8]) + (f" and {len(lacking) - 8} more" if len(lacking) > 8 else "")
        raise EarwitnessError(
            f"{type(model).__name__} is no model of the track {track.name}: it lacks {few}; give an object that "
            f"fulfils {track.model.__name__}, one with save_pretrained, a hub id or a folder"
        )
    from earwitness.models.saving import save

    folder, card = scratch / type(model).__name__, task.card.model
    save(model, folder, task.source(card.source), card.revision)
    return with_model(task, str(folder))


def _require_beside(model: Any, device: str) -> None:
    """Raise EarwitnessError where a model in memory lies on another device than it is asked to be scored on."""
    lies, asked = str(model.device).partition(":")[0], devices.resolve(device)
    if lies != asked:
        where = f"ask for its device (device={lies!r})" if lies in devices.DEVICES else "load it there"
        raise EarwitnessError(f"the model lies on {model.device} and device is {asked}; move it to {asked}, or {where}")


def _require_here(task: Task) -> None:
    """Raise EarwitnessError where the task's packages or data are not here, and say where to get them."""
    require_packages(task)
    missing = [each for each in needs(task) if each.startswith("data ")]
    if missing:
        raise EarwitnessError(f"task {task.id} lacks {', '.join(missing)}; {_where(task)}")


def _where(task: Task) -> str:
    readme = task.folder / "README.md"
    return f"{readme} says where to get it" if readme.is_file() else "its card names the source"
