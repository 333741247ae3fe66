"""The command that makes a run again, from its recipe."""

from __future__ import annotations

import shlex
from pathlib import PurePath
from typing import Any

Record = dict[str, Any]
OPTIONS = {
    "items": "--items",
    "seed": "--seed",
    "fresh": "--fresh",
    "device": "--device",
    "isolation": "--isolation",
    "explainer_seeds": "--explainer-seeds",
    "dtype": "--dtype",
    "batch_size": "--batch-size",
}
"""Arguments of a recipe that somebody may have typed, with their options."""


def run_command(recipe: Record, registered: bool = True) -> str:
    """The line for a shell that explains and scores as a run did, on the commit that its recipe names; empty where the
    recipe names no task or submission.

    A submission goes by its id where this very version of it is registered, or was where the run was made, else by its
    address on the hub, or by the folder that it was run from.

    >>> run_command({"task": {"id": "t"}, "submission": {"id": "s"}, "arguments": {"typed": {"items": 5}}})
    'earwitness run --task t --submission s --items 5'
    """
    task, submission = _part(recipe, "task"), _part(recipe, "submission")
    if not task.get("id") or not submission.get("id"):
        return ""
    words = ["earwitness", "run", "--task", str(task["id"]), "--submission", _address(submission, registered)]
    typed = _part(_part(recipe, "arguments"), "typed")
    told = _part(task, "before_cast") or task
    if told.get("own_model") is not None:
        words += ["--model", str(told.get("model"))]
    for name, option in OPTIONS.items():
        if typed.get(name) is not None:
            words += [option, _word(typed[name])]
    return shlex.join([*words, *(["--budgets"] if submission.get("budget") else [])])


def _part(record: Record, name: str) -> Record:
    found = record.get(name)
    return found if isinstance(found, dict) else {}


def _word(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _address(submission: Record, registered: bool) -> str:
    id, folder = str(submission["id"]), str(submission.get("folder") or "")
    there = PurePath(folder).parts[-2:] == ("submissions", id)
    return id if registered or there else str(submission.get("source") or folder or id)
