"""The baseline: a reviewed Parquet file of rows that later runs are compared with."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from earwitness import registry
from earwitness.errors import EarwitnessError, ExplainerFailedError
from earwitness.gate import comparability
from earwitness.gate.comparability import attach, attached
from earwitness.gate.comparison import rows_of
from earwitness.results.checks import refuse_other_rows, refuse_unbelievable
from earwitness.results.filling import direction
from earwitness.results.folders import declare_metrics, unfinished
from earwitness.results.former import translated
from earwitness.results.held_out import mark_of
from earwitness.results.rows import (
    COSTS,
    KEY,
    RECIPE,
    SCHEMA,
    Status,
    ordered,
    read_parts,
    read_recipe,
    read_run,
    write_table,
)
from earwitness.results.schema_version import NewerSchemaError
from earwitness.results.task_hashes import parted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

ONCE = [name for name in KEY if name not in {"task_hash", "submission_hash"}]
"""What a row of a baseline is known by: it holds one version of a task and of a submission."""

VERSIONS = ("task_hash", "submission_hash")


@dataclass(frozen=True)
class Change:
    """What an update does to the rows of one submission on one task."""

    task: str
    submission: str
    kind: str
    """`added`, `changed` or `unchanged`."""
    lines: tuple[str, ...]
    """What changed, for people: versions, items, means of metrics."""


@dataclass(frozen=True)
class Changes:
    """What an update of a baseline changed."""

    path: Path
    changes: tuple[Change, ...]
    kept: int
    """Rows of other submissions and tasks that stay as they were."""
    rows: int
    """Rows that the file holds now."""


def read_rows(paths: Sequence[Path], say: Callable[[str], None] = lambda _: None) -> pa.Table:
    """The rows of runs, each path a run's folder, or a folder of runs, with the fingerprints of their tasks.

    In a folder of runs those in which nothing was explained are left out, and `say` is told. Raises EarwitnessError
    where a path is no run, a run that was explained has no rows or is not done, or two runs are of one submission on
    one task.
    """
    found = {folder.resolve(): folder != path for path in paths for folder in _folders(path)}
    tables: list[pa.Table] = []
    fingerprints: comparability.Fingerprints = {}
    left_out = {folder: line for folder, among_others in found.items() if among_others and (line := _left_out(folder))}
    folders = [folder for folder in found if folder not in left_out]
    if not folders:
        raise EarwitnessError(f"no run that has rows: {'; '.join(left_out.values())}")
    for line in left_out.values():
        say(f"left out: {line}")
    for folder in folders:
        recipe = _recipe(folder)
        if recipe.get("state", "done") != "done":
            raise EarwitnessError(f"{folder.name} is {recipe['state']}; run the same command again to finish it")
        rows = read_run(folder)
        if not len(rows):
            raise EarwitnessError(f"{folder.name} has no rows; run the same command again")
        refuse_other_rows(rows, recipe, folder.name)
        declare_metrics(recipe)
        tables.append(translated(rows))
        fingerprints.update(_fingerprints(recipe.get("task"), known=fingerprints))
    rows = pa.concat_tables(tables)
    refuse_unusable(rows, "the runs together")
    return attach(rows, fingerprints)


def _left_out(folder: Path) -> str | None:
    """What to say of a run in which nothing was explained; None of one that has rows.

    Raises EarwitnessError where a run was explained, at least in part, or says that it is done, and has lost its rows.
    """
    explained = any((folder / "explanations").glob("*.safetensors"))
    try:
        line = unfinished(folder)
        done = line is not None and read_recipe(folder).get("state") == "done"
    except EarwitnessError as error:
        line, done = str(error), False
    if line is not None and (explained or done):
        raise EarwitnessError(line)
    return line


def read_baseline(path: Path) -> pa.Table:
    """The rows of a baseline.

    Raises EarwitnessError where it is missing, empty, of another schema or a newer one, or has duplicate rows.
    """
    if not os.path.isfile(path):
        if os.path.exists(path):
            raise EarwitnessError(f"{path} is no file: name the baseline's Parquet file")
        raise EarwitnessError(f"{path}: no such baseline; write it with `earwitness baseline update RUN`")
    try:
        rows = read_parts([path])
        metadata = pq.read_schema(path).metadata
    except NewerSchemaError:
        raise
    except EarwitnessError as error:
        raise EarwitnessError(
            f"{path} is no baseline of this version: {error}; delete it and write it with `earwitness baseline update`"
        ) from error
    rows = translated(rows).replace_schema_metadata(metadata)
    refuse_unusable(rows, str(path))
    return rows


def refuse_unusable(rows: pa.Table, name: str) -> None:
    """Raise EarwitnessError where there is no row, one cannot be a run's or is there twice, or versions are mixed."""
    if rows.schema.remove_metadata() != SCHEMA:
        raise EarwitnessError(f"{name}: rows of another schema")
    if not len(rows):
        raise EarwitnessError(f"{name}: no row; run again, or write the baseline with `earwitness baseline update RUN`")
    counts = rows.group_by(ONCE).aggregate([([], "count_all")])
    doubled = counts.filter(pc.greater(counts["count_all"], 1))
    if len(doubled):
        first = doubled.slice(0, 1).to_pylist()[0]
        raise EarwitnessError(
            f"{name}: {len(doubled)} rows are there more than once: {first['submission']} on {first['task']}, "
            f"{first['metric']} of item {first['item']}; keep one run of a submission on a task"
        )
    versions = rows.group_by(["task", "submission"]).aggregate([(column, "count_distinct") for column in VERSIONS])
    mixed = [
        entry for entry in versions.to_pylist() if any(entry[f"{column}_count_distinct"] > 1 for column in VERSIONS)
    ]
    if mixed:
        raise EarwitnessError(
            f"{name}: rows of several versions of {mixed[0]['submission']} on {mixed[0]['task']}; keep one run of a "
            "submission on a task"
        )
    refuse_unbelievable(rows, name)


def update_baseline(path: Path, rows: pa.Table) -> Changes:
    """Replace the rows of the submissions and tasks of a run in a baseline, and say what changed; writes the file.

    Raises EarwitnessError where the old file is no baseline, or the run is of held-out items, ExplainerFailedError
    where a submission of the run has no value on a task: such a baseline would let everything pass.
    """
    refuse_unusable(rows, "the run")
    hashes = pc.unique(rows["task_hash"]).to_pylist()
    if any(map(mark_of, hashes)):
        raise EarwitnessError("the run is of held-out items, which a baseline would publish; name a run of the card's")
    old = read_baseline(path) if os.path.exists(path) else SCHEMA.empty_table()
    pairs = _pairs(rows)
    changes = tuple(_change(pair, rows_of(old, *pair), rows_of(rows, *pair)) for pair in pairs)
    kept = [rows_of(old, *pair) for pair in _pairs(old) if pair not in pairs]
    together = ordered(pa.concat_tables([part.replace_schema_metadata(None) for part in (*kept, rows)]))
    hashes = {parted(name).base for name in pc.unique(together["task_hash"]).to_pylist()}
    known = {name: parts for name, parts in {**attached(old), **attached(rows)}.items() if name in hashes}
    write_table(attach(together, known), path)
    return Changes(path, changes, sum(map(len, kept)), len(together))


def _change(pair: tuple[str, str], old: pa.Table, new: pa.Table) -> Change:
    task, submission = pair
    if Status.OK not in new["status"].to_pylist():
        raise ExplainerFailedError(f"{submission} on {task}: no item has a value: {new['reason'][0].as_py()}")
    if not len(old):
        return Change(task, submission, "added", (f"{_count(new)} items",))
    if _same(old, new):
        return Change(task, submission, "unchanged", ())
    lines = [
        f"{column.replace('_', ' ')} {old[column][0].as_py()} -> {new[column][0].as_py()}"
        for column in ("task_version", "task_hash", "submission_hash")
        if old[column][0] != new[column][0]
    ]
    if _count(old) != _count(new):
        lines.append(f"items {_count(old)} -> {_count(new)}")
    before, after = _means(old), _means(new)
    for metric in sorted(before.keys() | after.keys()):
        lines += _metric_lines(metric, before.get(metric), after.get(metric))
    return Change(task, submission, "changed", tuple(lines))


def _metric_lines(metric: str, before: tuple[float, int] | None, after: tuple[float, int] | None) -> list[str]:
    """What became of a metric's mean and of its number of values."""
    if before is None or after is None:
        return [f"{metric}: {'no longer measured' if after is None else 'measured for the first time'}"]
    lines = []
    if before[0] != after[0]:
        gain = direction(metric) * (after[0] - before[0])
        word = f" ({'better' if gain > 0 else 'worse'})" if gain else ""
        lines.append(f"{metric}: mean {before[0]:.4g} -> {after[0]:.4g}{word}")
    if before[1] != after[1]:
        lines.append(f"{metric}: {before[1]} -> {after[1]} values")
    return lines


def _means(rows: pa.Table) -> dict[str, tuple[float, int]]:
    """Mean and number of values of each metric."""
    known = rows.filter(pc.equal(rows["status"], Status.OK.value))
    found = known.group_by("metric").aggregate([("value", "mean"), ("value", "count")]).to_pylist()
    return {entry["metric"]: (entry["value_mean"], entry["value_count"]) for entry in found}


def _same(old: pa.Table, new: pa.Table) -> bool:
    """Whether two tables hold the same rows but for their costs."""
    first, second = (ordered(table.drop_columns(list(COSTS))).combine_chunks() for table in (old, new))
    return bool(first.equals(second))


def _count(rows: pa.Table) -> int:
    return len(pc.unique(rows["item"]))


def _pairs(rows: pa.Table) -> list[tuple[str, str]]:
    """Tasks and submissions of rows."""
    keys = rows.group_by(["task", "submission"]).aggregate([]).to_pylist()
    return sorted((key["task"], key["submission"]) for key in keys)


def _folders(path: Path) -> list[Path]:
    """The run that a folder is, or the runs in it."""
    if os.path.isfile(path / RECIPE) or os.path.isdir(path / "rows"):
        return [path]
    found = sorted(recipe.parent for recipe in path.glob(f"[!.]*/{RECIPE}"))
    if not found:
        raise EarwitnessError(f"{path} is no run and holds none; make one with `earwitness run`")
    return found


def _recipe(folder: Path) -> dict[str, Any]:
    recipe = read_recipe(folder) if os.path.isfile(folder / RECIPE) else {}
    return recipe if isinstance(recipe, dict) else {}


def _fingerprints(task: Any, known: comparability.Fingerprints) -> comparability.Fingerprints:
    """Fingerprints of the task of a recipe: with its files where it is still as it was, else of the card alone."""
    if not isinstance(task, dict) or "hash" not in task or task["hash"] in known:
        return {}
    for place in (task.get("folder"), task.get("id")):
        try:
            found = registry.task(str(place))
        except EarwitnessError:
            continue
        if found.hash == task["hash"]:
            return {found.hash: comparability.fingerprints_of_task(found)}
    card = task.get("card")
    return {task["hash"]: comparability.fingerprints_of_card(card)} if isinstance(card, dict) else {}
