"""Whether two sets of rows may be compared: fingerprints of task, model and data, and seeds."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from earwitness.errors import NotComparableError
from earwitness.results.rows import Status
from earwitness.results.task_hashes import parted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pyarrow as pa

    from earwitness.task import Task

METADATA = b"earwitness.tasks"
"""Key of the fingerprints in a table's metadata."""
PARTS = {"model": "model", "dataset": "data"}
"""Parts of a card that have a fingerprint of their own, by key."""
OF_TASK = ("track", "generation_seeds", "budget")
"""Keys of a card that the task's own fingerprint is of: with those above, what explanations depend on."""
CODE = "code"
"""Part of the fingerprints that may differ: other code, of the model's adapter say, is what a check is for."""
Fingerprints = dict[str, dict[str, str]]
"""Hashes of the parts of tasks, by the task's hash."""


def fingerprints_of_card(card: Mapping[str, Any]) -> dict[str, str]:
    """Hashes of a card's parts: task, model and data."""
    own = {key: card.get(key) for key in OF_TASK}
    return {"task": _hash(own), **{name: _hash(card.get(key)) for key, name in PARTS.items()}}


def fingerprints_of_task(task: Task) -> dict[str, str]:
    """Hashes of a task's parts: of its card, of the files in each of its folders, and of its code."""
    digests: dict[str, Any] = {}
    for path in task.data_files():
        inner = path.relative_to(task.folder)
        digest = digests.setdefault(f"files of {inner.parts[0]}", hashlib.sha256())
        digest.update(inner.as_posix().encode() + hashlib.sha256(path.read_bytes()).digest())
    files = {name: str(digest.hexdigest()[:16]) for name, digest in digests.items()}
    return {**fingerprints_of_card(task.card.model_dump(mode="json")), **files, CODE: task.code_hash}


def attach(rows: pa.Table, fingerprints: Fingerprints) -> pa.Table:
    """The rows with fingerprints in their metadata, beside those that they have."""
    known = {**attached(rows), **fingerprints}
    return rows.replace_schema_metadata({METADATA: json.dumps(known, sort_keys=True).encode()} if known else None)


def attached(rows: pa.Table) -> Fingerprints:
    """The fingerprints in the metadata of rows; none where there are none."""
    try:
        found = json.loads((rows.schema.metadata or {}).get(METADATA, b"{}"))
    except (ValueError, RecursionError):
        return {}
    known = found if isinstance(found, dict) else {}
    return {task: parts for task, parts in known.items() if isinstance(parts, dict)}


def describe(rows: pa.Table, tasks: Iterable[Task]) -> pa.Table:
    """The rows with their tasks' fingerprints in the metadata, so that a refusal to compare can say what differs."""
    return attach(rows, {task.hash: fingerprints_of_task(task) for task in tasks})


def refuse_other_tasks(run: pa.Table, baseline: pa.Table, task: str) -> tuple[str, ...]:
    """Raise NotComparableError where the rows of a task differ in task, model, data or seeds; it says in which.

    run and baseline are the rows of one submission on the task, with the metadata of their tables. Returns a note where
    nothing but code differs.
    """
    before, after = (_one(rows, "task_hash") for rows in (baseline, run))
    complaints = _version(baseline, run)
    complaints += _fingerprints(before, after, attached(baseline), attached(run)) if before != after else []
    if not complaints:
        complaints = _seeds(baseline, run) + _clusters(baseline, run)
    if complaints:
        raise NotComparableError(
            f"{task} is not the same in the baseline and in the run: {'; '.join(complaints)}; score the "
            "baseline's code on this task and write the baseline again"
        )
    return () if before == after else (f"{task}: the code of its track, model or dataset is not the baseline's",)


def _version(baseline: pa.Table, run: pa.Table) -> list[str]:
    before, after = (_one(rows, "task_version") for rows in (baseline, run))
    return [f"task version {before} and {after}"] if before != after else []


def _fingerprints(before: str, after: str, known: Fingerprints, now: Fingerprints) -> list[str]:
    """What differs between two hashes of a task."""
    (old, *old_seeds), (new, *new_seeds) = (parted(text) for text in (before, after))
    complaints = []
    if old_seeds[1] != new_seeds[1]:
        fresh = [side[1] for side in (old_seeds, new_seeds)]
        names = ["the card's items" if seed is None else f"fresh items of seed {seed}" for seed in fresh]
        complaints.append(f"data: {names[0]} and {names[1]}")
    if old_seeds[0] != new_seeds[0]:
        complaints.append(f"seeds shifted by {old_seeds[0]} and by {new_seeds[0]}")
    if old != new:
        first, second = known.get(old, {}), now.get(new, {})
        differ = sorted(part for part in first.keys() & second.keys() if first[part] != second[part])
        if differ == [CODE]:
            return complaints
        if not first or not second:
            complaints.append(f"task hash {old} and {new} (the task's card, its model or its data changed)")
        elif differ:
            complaints.append(f"fingerprints of {', '.join(differ)}")
        else:
            complaints.append(f"task hash {old} and {new} (files of the task's folder changed)")
    return complaints


def _seeds(baseline: pa.Table, run: pa.Table) -> list[str]:
    """Seeds that the baseline has values for and the run does not; a run without any value failed otherwise."""
    complaints = []
    for column, name in (("generation_seed", "generation seeds"), ("explainer_seed", "explainer seeds")):
        before, after = (
            sorted(pc.unique(rows.filter(pc.equal(rows["status"], Status.OK.value))[column]).to_pylist())
            for rows in (baseline, run)
        )
        if after and set(before) - set(after):
            complaints.append(f"{name} {_listed(before)} and {_listed(after)}")
    return complaints


def _clusters(baseline: pa.Table, run: pa.Table) -> list[str]:
    """An item that belongs to another cluster than before is another item."""
    before, after = (
        {(pair["item"], pair["cluster"]) for pair in rows.group_by(["item", "cluster"]).aggregate([]).to_pylist()}
        for rows in (baseline, run)
    )
    shared = {item for item, _ in before} & {item for item, _ in after}
    other = sorted(item for item, _ in before ^ after if item in shared)
    return [f"data: item {other[0]} belongs to another cluster"] if other else []


def _one(rows: pa.Table, column: str) -> Any:
    """The value that all rows share, the first where they do not."""
    return rows[column][0].as_py()


def _listed(values: list[int]) -> str:
    return ", ".join(map(str, values)) or "none"


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]
