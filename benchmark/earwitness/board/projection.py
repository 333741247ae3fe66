"""Runs as the board's tables: every number that the page shows, computed once."""

from __future__ import annotations

import json
from collections import defaultdict
from statistics import median
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from earwitness.board.across import across, contest
from earwitness.board.audits import audit_records, variance_record
from earwitness.board.contrasts import contrasts
from earwitness.board.curves import Budgets, curve_tables, parted
from earwitness.board.facts import task_facts
from earwitness.board.held_out import OF_ITEMS, Placed, held_out_records, withheld
from earwitness.board.item_tables import COST, item_tables, item_values, run_records
from earwitness.board.matrix import pair_records
from earwitness.board.notes import task_note
from earwitness.board.sanity import sanity_records
from earwitness.board.schema import SCHEMAS
from earwitness.board.sentences import lead, sentence_record
from earwitness.board.summary import Summary
from earwitness.board.tries import began
from earwitness.board.variants import MeasuredVariant, keys, measured_variant, variant_of, variants
from earwitness.citing import citation, licence
from earwitness.results.rows import SCHEMA
from earwitness.stats.intervals import Resampling

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

    from earwitness.results.cube import Cube
    from earwitness.results.folders import StoredRun

Record = dict[str, Any]


def project(runs: Sequence[StoredRun], board: Path, sampling: Resampling, on: date) -> dict[str, pa.Table]:
    """All tables of the ranking, by name, as they may be shown on a day.

    Who is anonymous on it is not named, and of items that are their owner's alone there are means and verdicts.
    """
    own, budgets = parted(runs)
    every = _rows(runs)
    rows = _rows(own) if budgets else every
    with_budgets = {variant_of(run.rows.slice(0, 1).to_pylist()[0]) for run in budgets}
    records: dict[str, list[Record]] = defaultdict(list)
    recipes = [run.recipe for run in runs]
    found = variants(rows)
    # Cards of several ids may ask the same of the same items and differ in their metrics alone: they share a hash.
    facts = {(v.task, v.task_hash): task_facts(v.task, v.task_hash, recipes) for v in found}
    tasks = {task_hash: known for (_, task_hash), known in facts.items()}
    contests, placed = [], []
    by_item = [SCHEMAS["item_values"].empty_table()]
    leads = {}
    for variant, key in zip(found, keys(found, tasks), strict=True):
        measured = measured_variant(key, variant, facts[variant.task, variant.task_hash], rows, recipes)
        summary = Summary(measured.cube, measured.facts, measured.task, measured.variant.of_the_card, sampling)
        contests += [met] if (met := contest(measured, summary)) else []
        beside = measured
        if variant in with_budgets:
            beside = measured_variant(key, variant, facts[variant.task, variant.task_hash], every, recipes)
        curves = curve_tables(Budgets(measured, summary, beside, runs))
        tables = {**_tables(measured, summary, own, board), **_described(measured, own, board, on)}
        placed.append(Placed(measured, summary, tables["ranks"]))
        leads[key] = tables, lead(summary, measured.labels)
        if withheld(variant.task_hash, measured.task):
            tables |= {name: [] for name in OF_ITEMS}
        else:
            by_item.append(_of_task(key, item_values(measured), SCHEMAS["item_values"]))
        for name, part_records in {**tables, **curves}.items():
            records[name] += [{"task_key": key, **record} for record in part_records]
    records["held_out"] = held_out_records(placed)
    for key, (tables, found_lead) in leads.items():
        beside_it = [record for record in records["held_out"] if record["task_key"] == key]
        records["sentences"].append({"task_key": key, **sentence_record(tables, found_lead, beside_it)})
    records["across"] = across(contests, sampling.level, sampling.seed)
    projected = {
        name: pa.concat_tables(by_item) if name == "item_values" else pa.Table.from_pylist(records[name], schema=schema)
        for name, schema in SCHEMAS.items()
    }
    kept = [known.hash for known in facts.values() if not withheld(known.hash, known)]
    shown = every.filter(pc.is_in(every["task_hash"], value_set=pa.array(kept, pa.string())))
    return {"rows": shown, **projected}


def _of_task(key: str, table: pa.Table, schema: pa.Schema) -> pa.Table:
    """A task's part of a table of the board."""
    return table.append_column("task_key", pa.array([key] * len(table), pa.string())).select(schema.names).cast(schema)


def _rows(runs: Sequence[StoredRun]) -> pa.Table:
    return pa.concat_tables([run.rows for run in runs]) if runs else SCHEMA.empty_table()


def _tables(
    measured: MeasuredVariant, summary: Summary, runs: Sequence[StoredRun], board: Path
) -> dict[str, list[Record]]:
    directions = {metric.id: metric.direction for metric in measured.facts}
    costs = _costs(measured)
    headline = {metric.id for metric in measured.facts if metric.headline}
    return {
        "tasks": [_task(measured, summary)],
        "metrics": [
            {"position": position, "parameters": json.dumps(metric.parameters), **record}
            for position, (metric, record) in enumerate(zip(measured.facts, summary.metrics(), strict=True))
        ],
        "results": [
            _named(
                measured,
                {
                    **variance_record(measured.cube, r["entrant"], measured.cube.metrics.index(r["metric"])),
                    **r,
                    "direction": directions[r["metric"]],
                },
            )
            for r in summary.results()
        ],
        "audits": audit_records(measured),
        "ranks": [_named(measured, {**r, **costs[r["entrant"]]}) for r in summary.ranks()],
        "changes": [_named(measured, record) for record in summary.changes()],
        "exclusions": [_named(measured, record) for record in summary.without()],
        "contrasts": [
            {**_named(measured, record), "control": measured.labels[record["control"]]}
            for record in contrasts(measured.cube, measured.controls, headline, summary.spans())
        ],
        "pairs": [
            {**_named(measured, record), "against": measured.labels[record["against"]]}
            for record in pair_records(summary)
        ],
        "sanity": sanity_records(measured, runs),
        **item_tables(measured, runs, board),
    }


def _described(measured: MeasuredVariant, runs: Sequence[StoredRun], board: Path, on: date) -> dict[str, list[Record]]:
    """Who the entrants are and which runs their rows come from, without authors who are not to be named on a day."""
    first: dict[tuple[str, str], str] = {}
    for run in runs:
        row = run.rows.slice(0, 1).to_pylist()[0]
        key = (row["submission"], row["submission_hash"])
        first[key] = min(first.get(key, "9"), began(run.recipe, on))
    years = [first[entrant][:4] for entrant in measured.cube.entrants]
    return {
        "submissions": [_submission(measured, entrant, year, on) for entrant, year in enumerate(years)],
        "runs": run_records(measured, runs, board, on),
    }


def _named(measured: MeasuredVariant, record: Record) -> Record:
    return {**record, "entrant": measured.labels[record["entrant"]]}


def _task(measured: MeasuredVariant, summary: Summary) -> Record:
    card, cube = measured.task.card, measured.cube
    return {
        "task": measured.variant.task,
        "task_hash": measured.variant.task_hash,
        "seed": measured.variant.seed,
        "version": card.version if card else None,
        "title": card.title if card else measured.variant.task,
        "model": measured.task.model,
        "track": card.track if card else "",
        "main_metric": card.main_metric if card else measured.facts[0].id if measured.facts else "",
        "ranked_by": summary.ranked_by,
        "headline": [column.facts.id for column in summary.headline],
        "items": len(cube.items),
        "clusters": summary.size,
        "ways": _ways(cube),
        "rows": len(measured.rows),
        "floor": None if cube.floor is None else measured.labels[cube.floor],
        "level": summary.sampling.level,
        "draws": summary.sampling.draws,
        "note": task_note(measured, summary),
        "card": card.model_dump_json() if card else "",
        "certificate": measured.task.certificate,
        "readme": measured.task.readme,
    }


def _ways(cube: Cube) -> str:
    """How many clusters there are in each way, where they are crossed."""
    return "" if cube.crossed is None else " x ".join(str(int(column.max()) + 1) for column in cube.crossed.T)


def _submission(measured: MeasuredVariant, entrant: int, year: str, on: date) -> Record:
    facts = measured.submissions[entrant]
    card = facts.card.as_shown(on) if facts.card else None
    hidden = facts.card is not None and facts.card.is_anonymous(on)
    return {
        "entrant": measured.labels[entrant],
        "submission": facts.id,
        "submission_hash": facts.hash,
        "title": card.title if card else facts.id,
        "kind": card.kind if card else "entrant",
        "access": card.access if card else "",
        "made_elsewhere": measured.cube.entrants[entrant] in measured.made_elsewhere,
        "card": card.model_dump_json() if card else "",
        "licence": licence(card) if card else "",
        "citation": citation(facts.card, facts.hash, on, year) if facts.card else "",
        "readme": "" if hidden else facts.readme,
    }


def _costs(measured: MeasuredVariant) -> list[Record]:
    """Median cost of an explanation of each entrant, over items; none where nobody here saw it."""
    grouped = measured.rows.group_by(["submission", "submission_hash", "item"]).aggregate(
        [(cost, "max") for cost in COST]
    )
    by_entrant: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in grouped.to_pylist():
        by_entrant[record["submission"], record["submission_hash"]].append(record)
    return [
        dict.fromkeys(COST)
        if entrant in measured.made_elsewhere
        else {cost: float(median(record[f"{cost}_max"] for record in by_entrant[entrant])) for cost in COST}
        for entrant in measured.cube.entrants
    ]
