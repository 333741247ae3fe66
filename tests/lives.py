"""Runs of a board with a life: versions, authors, days and licences of the planted submissions' cards."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from earwitness import board
from earwitness.results.rows import Row, write_part
from earwitness.stats.intervals import Resampling
from synthetic import Plan, write_run

PLAN = Plan(skill={"occlusion": 0.8, "attention": 0.4, "uniform": 0.1, "random": 0.0}, items=7)
TODAY = date(2026, 11, 30)
QUICK = Resampling(draws=50)


def write_runs(out: Path, *submissions: str) -> None:
    """Runs of some of the planted submissions, of all of them where none is named."""
    for submission in submissions or PLAN.skill:
        entrant_run(out, submission)


def entrant_run(out: Path, submission: str, hash: str = "", started: str = "2026-11-02", **card: Any) -> Path:
    """The run of a planted submission, or of another version of it, begun on a day, with keys of its card replaced."""
    folder = write_run(out / f".{hash}" if hash else out, PLAN, submission)
    if hash:
        # Beside the run of the other version, which has its name.
        folder = folder.rename(out / f"{folder.name}_{hash[:4]}")
        rows = pq.read_table(folder / "rows" / "0000.parquet").to_pylist()
        ours = {"submission_hash": hash, "run": folder.name}
        write_part([Row(**{**row, **ours}) for row in rows], folder / "rows" / "0000.parquet")
    path = folder / "run.json"
    recipe = json.loads(path.read_text())
    recipe["submission"]["hash"] = hash or recipe["submission"]["hash"]
    recipe["submission"]["source"] = "hf://secretive/author"
    recipe["submission"]["card"] |= card
    recipe |= {"started": f"{started}T12:00:00+00:00", "command": ["run", "--submission", "hf://secretive/author"]}
    path.write_text(json.dumps(recipe))
    return folder


def notices_file(folder: Path, *notices: dict[str, Any], **rules: Any) -> Path:
    """An owner's file."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{key} = {json.dumps(value)}" for key, value in rules.items()]
    for notice in notices:
        told = {"date": "2026-11-10", "reason": "A wrong mask.", **notice}
        lines += ["[[notices]]", *(f"{key} = {json.dumps(value)}" for key, value in told.items())]
    path = folder / "notices.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def built(folder: Path, notices: Path | None = None, on: date = TODAY) -> Path:
    """The board of a folder's runs."""
    return board.build(folder / "runs", folder / "board", QUICK, notices=notices, on=on)


def asked(path: Path, sql: str) -> list[dict[str, Any]]:
    """Records of a query on a board."""
    connection = board.connect(path)
    try:
        return board.records(connection, sql)
    finally:
        connection.close()


def everything(path: Path) -> str:
    """All that a board holds, as text."""
    tables = [row["table_name"] for row in asked(path, "SELECT table_name FROM information_schema.tables")]
    return json.dumps([asked(path, f'SELECT * FROM "{table}"') for table in tables], default=str)


def entrants(path: Path) -> set[str]:
    """Who has rows on a board."""
    return {record["entrant"] for record in asked(path, "SELECT entrant FROM ranks")}
