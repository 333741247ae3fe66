"""Runs as the board's tables: every number that the page shows, computed once."""

from __future__ import annotations

import json
from collections import defaultdict
from statistics import median
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from earwitness.board.contrasts import contrasts
from earwitness.board.facts import task_facts
from earwitness.board.item_tables import COST, item_tables, item_values, run_records
from earwitness.board.sanity import sanity_records
from earwitness.board.schema import SCHEMAS
from earwitness.board.summary import Summary
from earwitness.board.variants import MeasuredVariant, keys, measured_variant, variants
from earwitness.results.cube import FLOOR
from earwitness.results.rows import FRESH, SCHEMA
from earwitness.stats.intervals import DEFAULT, FEWEST_CLUSTERS, Resampling

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from earwitness.results.cube import Cube
    from earwitness.results.folders import StoredRun

Record = dict[str, Any]


def project(runs: Sequence[StoredRun], board: Path, sampling: Resampling = DEFAULT) -> dict[str, pa.Table]:
    """All tables of the board, by name."""
    rows = pa.concat_tables([run.rows for run in runs]) if runs else SCHEMA.empty_table()
    records: dict[str, list[Record]] = defaultdict(list)
    recipes = [run.recipe for run in runs]
    found = variants(rows)
    tasks = {v.task_hash: task_facts(v.task, v.task_hash, recipes) for v in found}
    for variant, key in zip(found, keys(found, tasks), strict=True):
        measured = measured_variant(key, variant, tasks[variant.task_hash], rows, recipes)
        for name, part_records in _tables(measured, runs, board, sampling).items():
            records[name] += [{"task_key": key, **record} for record in part_records]
    tables = {name: pa.Table.from_pylist(records[name], schema=schema) for name, schema in SCHEMAS.items()}
    return {"rows": rows, **tables}


def _tables(
    measured: MeasuredVariant, runs: Sequence[StoredRun], board: Path, sampling: Resampling
) -> dict[str, list[Record]]:
    own = measured.variant.seed == 0 and FRESH not in measured.variant.task_hash
    summary = Summary(measured.cube, measured.facts, measured.task.ends, own, sampling)
    directions = {metric.id: metric.direction for metric in measured.facts}
    costs = _costs(measured)
    headline = {metric.id for metric in measured.facts if metric.headline}
    return {
        "tasks": [_task(measured, summary, own)],
        "metrics": [
            {"position": position, "parameters": json.dumps(metric.parameters), **record}
            for position, (metric, record) in enumerate(zip(measured.facts, summary.metrics(), strict=True))
        ],
        "results": [_named(measured, {**r, "direction": directions[r["metric"]]}) for r in summary.results()],
        "ranks": [_named(measured, {**r, **costs[r["entrant"]]}) for r in summary.ranks()],
        "changes": [_named(measured, record) for record in summary.changes()],
        "contrasts": [
            {**_named(measured, record), "control": measured.labels[record["control"]]}
            for record in contrasts(measured.cube, _controls(measured), headline, summary.spans())
        ],
        "submissions": [_submission(measured, entrant) for entrant in range(len(measured.labels))],
        "sanity": sanity_records(measured, runs),
        "item_values": item_values(measured),
        **item_tables(measured, runs, board),
        "runs": run_records(measured, runs, board),
    }


def _named(measured: MeasuredVariant, record: Record) -> Record:
    return {**record, "entrant": measured.labels[record["entrant"]]}


def _task(measured: MeasuredVariant, summary: Summary, own: bool) -> Record:
    card, cube = measured.task.card, measured.cube
    notes = []
    if cube.floor is None:
        notes.append(f"No rows of {FLOOR!r}: nothing is calibrated or ranked; failed items count as the worst value.")
    elif not measured.task.ends:
        notes.append("No ceiling is stored with the task: nothing is calibrated or ranked, raw values only.")
    elif not summary.headline:
        notes.append("No headline metric is informative here: nothing is ranked.")
    elif summary.placings is not None and summary.placings.ranks is None:
        notes.append(
            f"Too few items for ranks: {summary.size} clusters, on which not even the same gain on every item would be "
            "told."
        )
    if measured.task.ends and not own:
        notes.append("Ceilings are those of the task's own items, so their uncertainty is not in calibrated intervals.")
    if 0 < summary.size < FEWEST_CLUSTERS:
        notes.append(f"Too few items for intervals of means: {summary.size} clusters.")
    if measured.variant.inline:
        notes.append(
            "These rows were made in the caller's own process: nothing kept the explainer from what scores it."
        )
    if measured.task.other_model:
        notes.append(f"The task with another model, {measured.task.model}: these rows meet no others.")
    elif not measured.task.registered:
        notes.append("These rows belong to a version of the task that is not registered.")
    notes += cube.notes
    return {
        "task": measured.variant.task,
        "task_hash": measured.variant.task_hash,
        "seed": measured.variant.seed,
        "version": card.version if card else None,
        "title": card.title if card else measured.variant.task,
        "model": measured.task.model,
        "track": card.track if card else "",
        "main_metric": card.main_metric if card else measured.facts[0].id if measured.facts else "",
        "headline": [column.facts.id for column in summary.headline],
        "items": len(cube.items),
        "clusters": summary.size,
        "ways": _ways(cube),
        "rows": len(measured.rows),
        "floor": None if cube.floor is None else measured.labels[cube.floor],
        "level": summary.sampling.level,
        "draws": summary.sampling.draws,
        "note": " ".join(notes),
        "card": card.model_dump_json() if card else "",
        "certificate": measured.task.certificate,
        "readme": measured.task.readme,
    }


def _ways(cube: Cube) -> str:
    """How many clusters there are in each way, where they are crossed."""
    return "" if cube.crossed is None else " x ".join(str(int(column.max()) + 1) for column in cube.crossed.T)


def _controls(measured: MeasuredVariant) -> list[int]:
    """Entrants that ignore what an explainer should read."""
    return [number for number, facts in enumerate(measured.submissions) if facts.card and facts.card.kind == "control"]


def _submission(measured: MeasuredVariant, entrant: int) -> Record:
    facts = measured.submissions[entrant]
    return {
        "entrant": measured.labels[entrant],
        "submission": facts.id,
        "submission_hash": facts.hash,
        "title": facts.card.title if facts.card else facts.id,
        "kind": facts.card.kind if facts.card else "entrant",
        "card": facts.card.model_dump_json() if facts.card else "",
        "readme": facts.readme,
    }


def _costs(measured: MeasuredVariant) -> list[Record]:
    """Median cost of an explanation of each entrant, over items."""
    grouped = measured.rows.group_by(["submission", "submission_hash", "item"]).aggregate(
        [(cost, "max") for cost in COST]
    )
    by_entrant: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in grouped.to_pylist():
        by_entrant[record["submission"], record["submission_hash"]].append(record)
    return [
        {cost: float(median(record[f"{cost}_max"] for record in by_entrant[entrant])) for cost in COST}
        for entrant in measured.cube.entrants
    ]
