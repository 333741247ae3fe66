"""Claiming a run's folder: going on with what stands there, or moving it aside where that is of other code."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from earwitness.errors import EarwitnessError, unwritten
from earwitness.harness import recipe
from earwitness.results import former, rows
from earwitness.results.seals import is_sealed, seal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from earwitness.harness.recipe import Run

OLD = ".old"
"""Folder beside the runs to which runs made by another version are moved."""
SHOWN = 3
"""Metrics of a kind that a line names."""


def claimed(run: Run, say: Callable[[str], None]) -> bool:
    """Make the run's folder its own and tell whether it is done.

    Where the code or the packages that made its explanations have changed, it is moved aside; where what a metric of
    the card measures has, or the card has one more, it is scored again.
    """
    fresh = recipe.describe(run, sys.argv[1:])
    adopt(run, say)
    if not (run.folder / rows.RECIPE).is_file():
        # Of two that begin one run at once, one goes on with what the other wrote.
        recipe.write(run.folder, fresh, exclusive=True)
    stored = recipe.read(run.folder)
    if stored.get("identity") != run.identity:
        raise EarwitnessError(f"{run.folder} belongs to another run; move it away and run the same command")
    if made_with(stored) != made_with(fresh) or stored["task"]["hash"] != run.explained:
        aside = _move_aside(run)
        say(f"{run.name} was made by another version ({_difference(stored, fresh)}): moved to {aside}")
        recipe.write(run.folder, fresh, exclusive=True)
    elif stored.get("measured") != run.measured:
        say(f"{run.name} is scored again: {_remeasured(stored.get('measured', {}), run.measured)}")
        shutil.rmtree(run.rows, ignore_errors=True)
        recipe.write(run.folder, {**stored, **scored_with(fresh), "state": "running"})
    elif stored.get("state") == "done" and _has_its_rows(run, stored, say):
        return True
    elif stored.get("state") != "running":
        recipe.write(run.folder, {**stored, "state": "running"})
    _keep_batch_size(run, fresh)
    return False


def _keep_batch_size(run: Run, fresh: dict[str, Any]) -> None:
    """Have the recipe of a run that goes on say which batch size it goes on with: it is no part of what a run is."""
    stored = recipe.read(run.folder)
    kinds = stored["arguments"].values()
    if {name: value for kind in kinds for name, value in kind.items()}.get("batch_size") != run.arguments.batch_size:
        recipe.write(run.folder, {**stored, "arguments": fresh["arguments"]})


def _has_its_rows(run: Run, stored: dict[str, Any], say: Callable[[str], None]) -> bool:
    """Whether a finished run's rows are those that its recipe names, and were written by this user's runs; they go
    where they are not, to be made again.
    """
    parts = sorted(run.rows.glob("[!.]*.parquet"))
    if not all(is_sealed(path, run.name) for path in parts):
        say(f"{run.name} holds rows that no run of yours wrote: made again (`earwitness verify` compares another's)")
    elif rows.fingerprint(rows.read_run(run.folder)) == (stored.get("rows") or {}).get("fingerprint"):
        return True
    shutil.rmtree(run.rows, ignore_errors=True)
    return False


def made_with(stored: dict[str, Any]) -> dict[str, str]:
    """Versions of what can change an explanation; our own code is told by its hash."""
    return {name: version for name, version in stored.get("versions", {}).items() if name != "earwitness"}


def _difference(stored: dict[str, Any], fresh: dict[str, Any]) -> str:
    before, after = made_with(stored), made_with(fresh)
    names = sorted(before.keys() | after.keys())
    changed = [
        f"{name} {before.get(name)} -> {after.get(name)}" for name in names if before.get(name) != after.get(name)
    ]
    return ", ".join(changed) or "the code of the task's track, model or dataset changed"


def _remeasured(before: dict[str, str], after: dict[str, str]) -> str:
    """Which metrics are not measured as before, in words."""
    more, less = sorted(after.keys() - before.keys()), sorted(before.keys() - after.keys())
    other = sorted(name for name in after.keys() & before.keys() if after[name] != before[name])
    parts = [("changed", other), ("new", more), ("gone", less)]
    return "; ".join(f"{what}: {_first_names(names)}" for what, names in parts if names)


def _first_names(names: list[str]) -> str:
    shown = ", ".join(names[:SHOWN])
    return f"{shown} ..." if len(names) > SHOWN else shown


def scored_with(fresh: dict[str, Any]) -> dict[str, Any]:
    """What of a recipe scoring alone decides: the card that lists the metrics, and their identities."""
    return {key: fresh[key] for key in ("task", "measured")} | {"scored_with": fresh["versions"]}


def adopt(run: Run, say: Callable[[str], None]) -> None:
    """Take over a folder of the first format that holds this very run: rename it, and write its rows and its recipe
    with today's hashes.

    One that cannot be read, or that does not hold the rows that it says, stays where it is.
    """
    if run.folder.exists():
        return
    for path in sorted(run.out.glob(f"{run.task.id}__{run.submission.id}__*/{rows.RECIPE}")):
        stored = _of_first_format(path.parent, run)
        if stored is not None:
            _convert(path.parent, stored, run)
            say(f"{path.parent.name} is {run.name} now")
            return


def _of_first_format(folder: Path, run: Run) -> dict[str, Any] | None:
    """The recipe of a folder of the first format that holds this very run; None of any other."""
    with suppress(EarwitnessError, KeyError, TypeError):
        stored = recipe.read(folder)
        if "format" in stored or not _same_run(stored, run):
            return None
        if stored["state"] != "done" or rows.fingerprint(rows.read_run(folder)) == stored["rows"]["fingerprint"]:
            return stored
    return None


def _same_run(stored: dict[str, Any], run: Run) -> bool:
    arguments = {**stored["arguments"]["typed"], **stored["arguments"]["defaulted"]}
    described = (recipe.data_hash(stored), recipe.submission_hash(stored, run), recipe.Arguments.of(arguments))
    return described == (run.task.data_hash, run.submission_hash, run.arguments)


def _convert(folder: Path, stored: dict[str, Any], run: Run) -> None:
    """Make a copy of a folder of the first format whose rows and recipe are today's, and put it in its place.

    Raises EarwitnessError where it cannot be written; the folder is then as it was.
    """
    copy = run.out / f".{run.name}.{os.getpid()}.tmp"
    try:
        shutil.copytree(folder, copy)
        _write_todays(copy, stored, run)
        copy.rename(run.folder)
    except OSError as error:
        raise unwritten(run.folder, error, f"run the same command to take over {folder}") from error
    finally:
        shutil.rmtree(copy, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


def _write_todays(folder: Path, stored: dict[str, Any], run: Run) -> None:
    fresh, listed = recipe.describe(run, stored["command"]), former.task(stored["task"]["hash"])
    for path in sorted((folder / "rows").glob("[!.]*.parquet")):
        part = former.translated(rows.read_parts([path]))
        for name, text in (("submission_hash", run.submission_hash), ("run", run.name)):
            part = rows.with_texts(part, name, [text] * len(part))
        rows.write_table(part, path)
        seal(path, run.name)
    names = ("state", "started", "finished", "versions", "git", "device", "items", "failed")
    kept: dict[str, Any] = {name: stored[name] for name in names if name in stored}
    table = rows.read_run(folder)
    recorded = {"rows": {"number": len(table), "fingerprint": rows.fingerprint(table)}} if "rows" in stored else {}
    task: dict[str, Any] = {**fresh["task"], "hash": listed.hash if listed else stored["task"]["hash"]}
    measured = dict(listed.metrics) if listed else {}
    now: dict[str, Any] = {**fresh, **kept, **recorded, "task": task, "measured": measured}
    recipe.write(folder, now)


def _move_aside(run: Run) -> Path:
    number = 1
    while (aside := run.out / OLD / f"{run.name}.{number}").exists():
        number += 1
    aside.parent.mkdir(parents=True, exist_ok=True)
    run.folder.rename(aside)
    return aside
