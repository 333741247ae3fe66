"""Finding tasks, submissions and leaderboard pages: in the checkout, in the wheel, by entry point."""

from __future__ import annotations

import os
from importlib.metadata import entry_points
from pathlib import Path

from earwitness.errors import EarwitnessError, nearest, shortened
from earwitness.submission import Submission, read_submission
from earwitness.task import Task, read_task

PACKAGE = Path(__file__).resolve().parent


def home(kind: str) -> Path:
    """Folder of `tasks`, `submissions` or `leaderboard`: the checkout's where there is one, else the wheel's copy.

    An editable install leaves a stale copy of force-included folders in site-packages, so the checkout wins.
    """
    checkout = PACKAGE.parent.parent / kind
    return checkout if (PACKAGE.parent.parent / "pyproject.toml").is_file() else PACKAGE / f"_{kind}"


def _folders(kind: str, card: str) -> dict[str, Path]:
    """Folders with a card, by id; an entry point of group `earwitness.<kind>` names a package that holds some."""
    roots = [home(kind)]
    for point in entry_points(group=f"earwitness.{kind}"):
        package = point.load()
        roots.extend(Path(root) for root in package.__path__)
    found: dict[str, Path] = {}
    for root in roots:
        for path in sorted(root.glob(f"*/{card}")):
            found.setdefault(path.parent.name, path.parent)
    return found


def task_ids() -> list[str]:
    """Ids of all tasks on the shelf."""
    return sorted(_folders("tasks", "task.toml"))


def submission_ids() -> list[str]:
    """Ids of all submissions on the shelf."""
    return sorted(_folders("submissions", "submission.toml"))


def task(id_or_path: str) -> Task:
    """The task of that id or in that folder; raises EarwitnessError and offers the nearest id."""
    return read_task(_find("tasks", "task.toml", id_or_path))


def submission(id_or_path: str) -> Submission:
    """The submission of that id or in that folder; raises EarwitnessError and offers the nearest id."""
    return read_submission(_find("submissions", "submission.toml", id_or_path))


def _find(kind: str, card: str, id_or_path: str) -> Path:
    known = _folders(kind, card)
    if id_or_path in known:
        return known[id_or_path]
    if os.path.isfile(Path(id_or_path, card)):
        return Path(id_or_path).resolve()
    raise EarwitnessError(
        f"no {kind.removesuffix('s')} is called {shortened(id_or_path)!r} and no folder there holds a {card}; "
        f"{nearest(id_or_path, known, kind)}"
    )
