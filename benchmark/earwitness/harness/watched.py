"""Files that no submission may touch, looked at before anything is explained and after."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from earwitness.errors import EarwitnessError
from earwitness.plugins import PACKAGE
from earwitness.results.rows import RECIPE, read_recipe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from earwitness.harness.recipe import Run

WHOLE = 16 << 20
"""Bytes up to which a file's content is compared; of a larger one its size and its times."""
Seen = dict[Path, str]


def seen(runs: Sequence[Run]) -> Seen:
    """What the library, the tasks and submissions of some runs, and rivals' rows look like now, by file."""
    return {path: look for path in sorted(_files(runs)) if (look := _look(path))}


def changed(before: Seen) -> list[Path]:
    """Files that are not what they were, or not there any more."""
    return [path for path, look in before.items() if _look(path) != look]


def _files(runs: Sequence[Run]) -> set[Path]:
    own = {run.name for run in runs}
    folders = {folder for run in runs for folder in (run.task.folder, run.submission.folder)}
    found = {path for path in PACKAGE.rglob("*.py") if "_tasks" not in path.parts}
    found |= {path for folder in folders for path in folder.rglob("*") if not path.name.endswith(".pyc")}
    found |= {path for out in {run.out for run in runs} for path in _of_rivals(out, own)}
    return {path for path in found if path.is_file()}


def _of_rivals(out: Path, own: set[str]) -> Iterator[Path]:
    """Recipes and rows of finished runs beside those that are at work."""
    for path in out.glob(f"*/{RECIPE}"):
        # What another process is at work on changes by itself.
        if path.parent.name not in own and _is_done(path.parent):
            yield path
            yield from path.parent.glob("rows/[!.]*.parquet")


def _is_done(folder: Path) -> bool:
    try:
        return bool(read_recipe(folder).get("state") == "done")
    except EarwitnessError:
        return False


def _look(path: Path) -> str:
    try:
        state = path.stat()
        if state.st_size > WHOLE:
            return f"{state.st_size} {state.st_mtime_ns} {state.st_ctime_ns}"
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
