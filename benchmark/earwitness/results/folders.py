"""Run folders as they are read: recipe, rows and their fingerprint; those that cannot be read are named."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from earwitness import metrics, plugins
from earwitness.errors import EarwitnessError
from earwitness.results.checks import refuse_other_rows, refuse_unbelievable
from earwitness.results.former import translated
from earwitness.results.rows import RECIPE, fingerprint, read_recipe, read_run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa


@dataclass(frozen=True)
class StoredRun:
    """A run's folder as it was read."""

    folder: Path
    recipe: dict[str, Any]
    rows: pa.Table
    """Under today's hashes."""
    fingerprint: str
    """Of the rows as they are stored."""


@dataclass(frozen=True)
class Unread:
    """A run's folder that was left out."""

    folder: Path
    reason: str
    """One line that names the folder."""
    begun: bool = False
    """Whether it is a run that has no rows yet, and nothing is wrong with it."""


def open_run(folder: Path) -> StoredRun:
    """A run with its rows.

    Raises EarwitnessError where its recipe or a part cannot be read, there is no row, rows are not those that the
    recipe names, or one of them cannot be what a run wrote.
    """
    if not os.path.isfile(folder / RECIPE):
        raise EarwitnessError(f"{folder} is no run: it has no {RECIPE}; run again, or delete the folder")
    recipe, rows = read_recipe(folder), read_run(folder)
    if not len(rows):
        raise EarwitnessError(f"{folder} is no run with rows; run the same command again")
    found = fingerprint(rows, sorted_by_key=True)
    refuse_other_rows(rows, recipe, str(folder), found)
    refuse_unbelievable(rows, str(folder))
    declare_metrics(recipe)
    return StoredRun(folder, recipe, translated(rows), found)


def declare_metrics(recipe: dict[str, Any]) -> None:
    """Import the metrics that a run's card names as `package.module:function`: their rows have a direction by it.

    One that cannot be imported is a line of `plugins.faults`.
    """
    card = recipe.get("task", {}).get("card") or {}
    listed = card.get("metrics") if isinstance(card, dict) else None
    for each in listed if isinstance(listed, list) else ():
        name = each.get("metric") if isinstance(each, dict) else None
        if isinstance(name, str) and ":" in name:
            try:
                metrics.get(name)
            except EarwitnessError as error:
                fault = f"is a metric of rows here and cannot be read, so that they have no direction: {error}"
                plugins.complain("metrics", name, fault)


def open_runs(places: Sequence[Path]) -> tuple[list[StoredRun], list[Unread]]:
    """Every run with rows in the given folders, by name, and those that cannot be read or have no rows yet."""
    runs, unread = [], []
    for folder in dict.fromkeys(folder for place in places for folder in _folders(place)):
        try:
            line = unfinished(folder)
            if line is None:
                runs.append(open_run(folder))
            else:
                unread.append(Unread(folder, line, begun=True))
        except EarwitnessError as error:
            unread.append(Unread(folder, str(error)))
    return runs, unread


def unfinished(folder: Path) -> str | None:
    """What to say of a run that has no rows, one that was never finished, say; None of one that has.

    Raises EarwitnessError where there are neither rows nor a recipe that can be read.
    """
    if _has_rows(folder):
        return None
    state = read_recipe(folder).get("state", "running")
    return f"{folder} has no rows ({state}); run the same command again to finish it, or delete the folder"


def _folders(place: Path) -> list[Path]:
    """Runs in a place, hidden ones left out; the place itself where it is a run."""
    if os.path.isfile(place / RECIPE):
        return [place]
    found = sorted(path for path in place.glob("*") if not path.name.startswith("."))
    return [path for path in found if os.path.isfile(path / RECIPE) or _has_rows(path)]


def _has_rows(folder: Path) -> bool:
    return any(not path.name.startswith(".") for path in (folder / "rows").glob("*.parquet"))
