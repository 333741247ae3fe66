"""The board's table of entrants' sanity: what became of their explanations when model or input was spoiled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from earwitness.errors import EarwitnessError
from earwitness.results.sanity import Sanity, read_sanity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from earwitness.board.variants import MeasuredVariant
    from earwitness.results.folders import StoredRun

Record = dict[str, Any]
ITSELF = "another explainer seed is drawn"
"""What is done when nothing is spoiled."""


def sanity_records(measured: MeasuredVariant, runs: Sequence[StoredRun]) -> list[Record]:
    """A record of each check of each entrant whose sanity was looked at, of several looks the one at most items.

    The first compares the entrant with itself. A look that cannot be read, or is of another submission or task, is one
    record with the reason.
    """
    labels = dict(zip(measured.cube.entrants, measured.labels, strict=True))
    names = set(measured.rows["run"].to_pylist())
    found: dict[str, tuple[int, list[Record]]] = {}
    for run in runs:
        mine = run.rows.slice(0, 1).to_pylist()[0]
        if mine["run"] not in names:
            continue
        entrant = labels[mine["submission"], mine["submission_hash"]]
        items, own = _of_run(run, mine)
        if own and (entrant not in found or items > found[entrant][0]):
            found[entrant] = items, own
    return [
        {"entrant": entrant, "position": position, **record}
        for entrant, (_, own) in sorted(found.items())
        for position, record in enumerate(own)
    ]


def _of_run(run: StoredRun, mine: Record) -> tuple[int, list[Record]]:
    """How many items a run's look was at, and its records."""
    try:
        sanity = read_sanity(run.folder)
    except EarwitnessError as error:
        return 0, [_record(skipped=str(error))]
    if sanity is None:
        return 0, []
    if (sanity.submission_hash, sanity.task_hash) != (mine["submission_hash"], mine["task_hash"]):
        return 0, [_record(skipped="it was looked at as another version, or on another version of the task")]
    return sanity.items, _records(sanity)


def _records(sanity: Sanity) -> list[Record]:
    spread = sanity.complexity
    own = {} if spread is None else {"entropy": spread.entropy, "gini": spread.gini}
    records = [_record(check=ITSELF, agreement=sanity.itself, items=sanity.items, **own)]
    for check in sanity.checks:
        flag = next((flag for flag in sanity.flags if check.flagged and check.check in flag), "")
        known = check.model_dump(include={"check", "share", "agreement", "itself", "back", "p", "items", "skipped"})
        last = {} if spread is None or check.share != 1 else {"entropy": spread.redrawn, "rise_p": spread.p}
        records.append(_record(**known, **last, flag=flag))
    return records


def _record(**known: Any) -> Record:
    nothing = dict.fromkeys(("share", "agreement", "itself", "back", "p", "entropy", "rise_p", "gini"))
    return {**nothing, "check": "", "items": 0, "flag": "", "skipped": "", **known}
