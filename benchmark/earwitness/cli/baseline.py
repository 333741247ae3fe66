"""`earwitness baseline`: what a check compares with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from earwitness.cli.check import Against, Runs
from earwitness.cli.output import Json, notice, print_json

if TYPE_CHECKING:
    from earwitness.gate import Changes


def update(runs: Runs, against: Against = None, json: Json = False) -> None:
    """Put the rows of runs into the baseline, in place of those of the same submissions and tasks; say what changed."""
    from earwitness import gate

    path = against or gate.read_settings(Path()).against
    changes = gate.update_baseline(path, gate.read_rows(runs, notice))
    if json:
        print_json(_record(changes))
    else:
        _print(changes)


def _print(changes: Changes) -> None:
    for change in changes.changes:
        print(f"{change.kind}: {change.submission} on {change.task}")
        for line in change.lines:
            print(f"  {line}")
    print(
        f"wrote {changes.path}: {changes.rows} rows, {changes.kept} of them kept, {changes.path.stat().st_size} bytes"
    )


def _record(changes: Changes) -> dict[str, Any]:
    return {**vars(changes), "changes": [vars(change) for change in changes.changes]}
