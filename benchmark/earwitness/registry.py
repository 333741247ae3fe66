"""Finding what the benchmark is made of: in the checkout, in the wheel, by entry point, by `package.module:factory`.

Tasks and submissions are folders with a card; models, datasets and judges are read by adapters; metrics and tracks are
declared. Each kind has a group of entry points, `earwitness.<kind>`: those of tasks and submissions name a package that
holds folders with cards, those of metrics a module that declares some, the others what `earwitness.plugins` says.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from earwitness import metrics, plugins, tracks
from earwitness.errors import EarwitnessError, InvalidCardError, nearest, short, shortened
from earwitness.hub.addresses import is_address
from earwitness.hub.submissions import from_hub
from earwitness.plugins import KINDS as KINDS
from earwitness.submission import AT, Submission, read_submission
from earwitness.submission import CARD as SUBMISSION_CARD
from earwitness.task import CARD as TASK_CARD
from earwitness.task import Task, read_task

if TYPE_CHECKING:
    from collections.abc import Collection

PACKAGE = plugins.PACKAGE
SHOWN = 8
"""Ids that an error names; verbs list the others."""
CARDS = {"tasks": TASK_CARD, "submissions": SUBMISSION_CARD}


def home(kind: str) -> Path:
    """Folder of `tasks`, `submissions` or `leaderboard`: the checkout's where there is one, else the wheel's copy.

    An editable install leaves a stale copy of force-included folders in site-packages, so the checkout wins.
    """
    checkout = PACKAGE.parent.parent / kind
    return checkout if (PACKAGE.parent.parent / "pyproject.toml").is_file() else PACKAGE / f"_{kind}"


def names(kind: str) -> list[str]:
    """Names of all that is registered of a kind.

    >>> "fid_f" in names("metrics"), "prompt" in names("tracks"), "cnn" in names("judges")
    (True, True, True)
    """
    if kind in CARDS:
        return sorted(_folders(kind))
    if kind == "metrics":
        return sorted(metrics.all_metrics())
    return tracks.names() if kind == "tracks" else plugins.names(kind)


def get(kind: str, name: str) -> Any:
    """What is registered of a kind under a name; raises EarwitnessError and offers the nearest name.

    A `Task`, a `Submission`, an `Adapter` of a model, a dataset or a judge, a `MetricSpec`, or a `Track`.
    """
    if kind not in KINDS:
        raise EarwitnessError(f"no kind is called {kind!r}; kinds: {', '.join(KINDS)}")
    if kind in CARDS:
        return task(name) if kind == "tasks" else submission(name)
    if kind == "metrics":
        return metrics.get(name)
    return tracks.load(name) if kind == "tracks" else plugins.adapter(kind, name)


def copies(folder: Path) -> dict[str, str]:
    """Local copies of hub ids, by id: `[tool.earwitness.sources]` of the pyproject.toml of a folder, or of the nearest
    above that has one.

    Relative folders are meant from it. Raises EarwitnessError where it cannot be read.
    """
    for place in (folder.resolve(), *folder.resolve().parents):
        path = place / "pyproject.toml"
        if path.is_file():
            try:
                tool = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {})
                found = TypeAdapter(dict[str, str]).validate_python(tool.get("earwitness", {}).get("sources", {}))
            except (OSError, ValueError, AttributeError) as error:
                raise EarwitnessError(
                    f"{path}: [tool.earwitness.sources] cannot be read: {short(str(error))}; it is a table of "
                    '"HUB_ID" = "FOLDER"'
                ) from error
            return {source: str(place / Path(at).expanduser()) for source, at in found.items()}
    return {}


def task_ids() -> list[str]:
    """Ids of all registered tasks."""
    return names("tasks")


def submission_ids() -> list[str]:
    """Ids of all registered submissions."""
    return names("submissions")


def task(id_or_path: str) -> Task:
    """The task of that id or in that folder; raises EarwitnessError and offers the nearest id."""
    return read_task(_find("tasks", id_or_path))


def submission(id_or_path: str) -> Submission:
    """The submission of that id or in that folder, or at another budget (`spes_at_500`) where its card has a curve; one
    from the hub (`hf://user/repo@commit`) is fetched.

    Raises EarwitnessError and offers the nearest id.
    """
    if is_address(id_or_path):
        fetched = from_hub(id_or_path)
        _refuse_namesake(fetched)
        return fetched
    base, _, budget = id_or_path.rpartition(AT)
    there = os.path.isdir(id_or_path) or id_or_path in _folders("submissions")
    if base and budget.isascii() and budget.isdigit() and not there:
        return read_submission(_find("submissions", base)).at(int(budget))
    found = read_submission(_find("submissions", id_or_path))
    if found.card.explanations:
        _refuse_namesake(found)
    return found


def _refuse_namesake(found: Submission) -> None:
    """Raise InvalidCardError where explanations without code, or a submission from the hub, bear the id of a registered
    submission: they are none of its versions.
    """
    known = _folders("submissions").get(found.id)
    if known is not None and known.resolve() != found.folder.resolve():
        raise InvalidCardError(
            f"{found.source or found.folder / SUBMISSION_CARD}: id {found.id!r} is that of a registered submission; "
            "choose another id"
        )


def _folders(kind: str) -> dict[str, Path]:
    """Folders with a card, by id; an entry point names a package that holds some."""
    roots = [home(kind)]
    for name, package in plugins.loaded(kind).items():
        places = [Path(root) for root in getattr(package, "__path__", ())]
        if not any(True for root in places for _ in root.glob(f"*/{CARDS[kind]}")):
            plugins.complain(kind, name, f"is no package that holds folders with a {CARDS[kind]}")
        roots += places
    found: dict[str, Path] = {}
    for root in roots:
        for path in sorted(root.glob(f"*/{CARDS[kind]}")):
            id, folder = path.parent.name, path.parent
            if found.setdefault(id, folder) != folder:
                plugins.complain(kind, id, f"in {folder} has the id of {found[id]}; rename it")
    return found


def _some(kind: str, known: Collection[str]) -> list[str]:
    """A few ids of a kind, and where the others are listed."""
    first, left = sorted(known)[:SHOWN], len(known) - SHOWN
    return [*first, f"and {left} more, which `earwitness {kind}` lists"] if left > 0 else first


def _find(kind: str, id_or_path: str) -> Path:
    card, known = CARDS[kind], _folders(kind)
    if id_or_path in known:
        return known[id_or_path]
    if os.path.isfile(Path(id_or_path, card)):
        return Path(id_or_path).resolve()
    beside = id_or_path.replace("-", "_")
    there = beside != id_or_path and os.path.isfile(Path(beside, card))
    hint = f"did you mean {shortened(beside)!r}?" if there else nearest(id_or_path, known, kind, _some(kind, known))
    raise EarwitnessError(
        f"no {kind.removesuffix('s')} is called {shortened(id_or_path)!r} and no folder there holds a {card}; {hint}"
    )
