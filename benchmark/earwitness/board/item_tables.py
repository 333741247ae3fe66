"""The board's tables of single items, and of the runs they come from. Paths are relative to the board's folder."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from earwitness.board import items as seen
from earwitness.board.commands import run_command
from earwitness.board.manifests import exhibits
from earwitness.board.variants import variant_of
from earwitness.results.rows import MADE_ELSEWHERE, Status
from earwitness.submission_card import anonymous_in

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

    from earwitness.board.variants import MeasuredVariant
    from earwitness.results.folders import StoredRun

Record = dict[str, Any]
COST = ("seconds", "forwards", "backwards", "peak_bytes")
PLAUSIBLE = "plausible_forwards"


def item_values(measured: MeasuredVariant) -> pa.Table:
    """Each entrant's value of each metric on each item, failures at the floor's value."""
    cube = measured.cube
    entrant, item, metric = np.nonzero(~np.isnan(cube.values))
    return pa.table(
        {
            "entrant": pa.array(measured.labels, pa.string()).take(pa.array(entrant)),
            "item": pa.array(cube.items, pa.string()).take(pa.array(item)),
            "metric": pa.array(cube.metrics, pa.string()).take(pa.array(metric)),
            "value": pa.array(cube.values[entrant, item, metric].astype(np.float64)),
            "failed": pa.array(cube.failed[entrant, item, metric].astype(bool)),
        }
    )


def item_tables(measured: MeasuredVariant, runs: Sequence[StoredRun], board: Path) -> dict[str, list[Record]]:
    """Inputs, what each entrant left of each, and the exhibits of both: paths are relative to the board's folder."""
    inputs: dict[str, seen.Input] = {}
    for place in dict.fromkeys(run.folder.parent for run in runs):
        inputs = seen.inputs(place, measured.variant.task_hash) | inputs
    first = dict(zip(measured.rows["item"].to_pylist(), measured.rows["cluster"].to_pylist(), strict=True))
    described, shown = [], []
    for item in measured.cube.items:
        found = inputs.get(item, seen.Input())
        described.append(
            {
                "item": item,
                "cluster": first[item],
                "fields": json.dumps(found.fields),
                "arrays": _relative(found.arrays, board),
                "seconds": found.seconds,
                "problem": found.problem,
            }
        )
        shown += _exhibits("", item, found.exhibits, board)
    folders = {run.folder.name: run.folder for run in runs}
    labels = dict(zip(measured.cube.entrants, measured.labels, strict=True))
    left: list[Record] = []
    maps: dict[str, dict[str, Path]] = {}
    for entry in _first_rows(measured):
        entrant, item = labels[entry["submission"], entry["submission_hash"]], entry["item"]
        folder = folders.get(entry["run"])
        if folder is not None:
            if folder.name not in maps:
                maps[folder.name] = seen.explanations(folder)
            shown += _exhibits(entrant, item, exhibits(folder / seen.RUN_EXHIBITS, item, folder.parent), board)
        left.append(
            {
                "entrant": entrant,
                "item": item,
                "status": entry["status"],
                "reason": entry["reason"],
                **{cost: None if entry["isolation"] == MADE_ELSEWHERE else float(entry[cost]) for cost in COST},
                PLAUSIBLE: entry[PLAUSIBLE],
                "run": entry["run"],
                "explanation": _relative(maps.get(entry["run"], {}).get(item), board),
            }
        )
    return {"inputs": described, "items": left, "exhibits": shown}


def _exhibits(entrant: str, item: str, found: Sequence[Record], board: Path) -> list[Record]:
    """Rows of an item's exhibits, those of an entrant or, where it has no name, the item's own."""
    return [
        {"entrant": entrant, "item": item, **each, "path": _relative(each["path"], board), "position": position}
        for position, each in enumerate(found)
    ]


def _first_rows(measured: MeasuredVariant) -> list[Record]:
    """One row of each entrant and item, the first that failed if there is any; sorted by these."""
    columns = ["submission", "submission_hash", "item", "status", "reason", "run", "isolation", *COST, PLAUSIBLE]
    rows = measured.rows.select(columns)
    light = pc.if_else(
        pc.equal(rows["status"], Status.SKIPPED), 2, pc.if_else(pc.equal(rows["status"], Status.OK), 1, 0)
    )
    # Of equal weight, the one that stands first: one number holds both.
    rank = pc.add(pc.multiply(light, len(rows)), pa.array(np.arange(len(rows))))
    by = ["submission", "submission_hash", "item"]
    first = rows.append_column("rank", rank).group_by(by).aggregate([("rank", "min")])["rank_min"]
    found = rows.take(first.combine_chunks().to_numpy() % len(rows))
    records: list[Record] = found.sort_by([(column, "ascending") for column in by]).to_pylist()
    return records


def run_records(measured: MeasuredVariant, runs: Sequence[StoredRun], board: Path, on: date) -> list[Record]:
    """Where the variant's rows come from, each run with its recipe: without what names those who are anonymous on a
    day."""
    labels = dict(zip(measured.cube.entrants, measured.labels, strict=True))
    hidden = {(each.id, each.hash) for each in measured.submissions if each.card and each.card.is_anonymous(on)}
    registered = {(each.id, each.hash) for each in measured.submissions if each.registered}
    names = set(measured.rows["run"].to_pylist())
    records = []
    for run in runs:
        mine = run.rows.slice(0, 1).to_pylist()[0]
        entrant = (mine["submission"], mine["submission_hash"])
        if variant_of(mine) == measured.variant and mine["run"] in names:
            anonymous = entrant in hidden or anonymous_in(run.recipe, on)
            recipe = _unnamed(run.recipe) if anonymous else run.recipe
            records.append(
                {
                    "entrant": labels[entrant],
                    "run": mine["run"],
                    "folder": _relative(run.folder, board),
                    "rows": len(run.rows),
                    "fingerprint": run.fingerprint,
                    "isolation": mine["isolation"],
                    "recipe": json.dumps(recipe),
                    "command": run_command(recipe, entrant in registered),
                }
            )
    return records


def _unnamed(recipe: Record) -> Record:
    """A recipe without what was typed, and of the submission nothing but its id and hash."""
    submission = {key: value for key, value in recipe["submission"].items() if key in ("id", "hash", "budget")}
    return {**{key: value for key, value in recipe.items() if key != "command"}, "submission": submission}


def _relative(path: Path | None, board: Path) -> str:
    return "" if path is None else os.path.relpath(path.resolve(), board.resolve())
