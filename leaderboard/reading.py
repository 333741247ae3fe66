"""What the pages read: queries on the board, cached by its content's name, and files that its rows point to."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from duckdb import DuckDBPyConnection
from safetensors import SafetensorError, safe_open

from earwitness.board.store import connect, current, records
from earwitness.errors import EarwitnessError

Record = dict[str, Any]
VARIABLE = "EARWITNESS_BOARD"
"""Names the board's folder or file; ./board without it."""


def board_file() -> Path | None:
    """The board's database; None where there is none."""
    try:
        return current(Path(os.environ.get(VARIABLE, "board"))).resolve()
    except EarwitnessError:
        return None


def query(sql: str, *parameters: Any) -> list[Record]:
    """Rows of a query on the board."""
    file = board_file()
    if file is None:
        st.stop()
    return _query(str(file), sql, parameters)


@st.cache_data(max_entries=512, show_spinner=False)
def _query(file: str, sql: str, parameters: tuple[Any, ...]) -> list[Record]:
    return records(_connection(file), sql, *parameters)


@st.cache_resource(max_entries=2, show_spinner=False)
def _connection(file: str) -> DuckDBPyConnection:
    return connect(Path(file))


def tasks() -> dict[str, str]:
    """Titles of the board's tasks by key."""
    found = query("SELECT task_key, title FROM tasks ORDER BY task_key")
    return {row["task_key"]: f"{row['task_key']}: {row['title']}" for row in found}


def task() -> Record:
    """The record of the task that is picked."""
    return query("SELECT * FROM tasks WHERE task_key = ?", st.session_state["task"])[0]


def metrics(key: str) -> list[Record]:
    """A task's metrics in the card's order."""
    return query("SELECT * FROM metrics WHERE task_key = ? ORDER BY position", key)


def audits(key: str) -> list[Record]:
    """What the task's audit says of each metric, in the card's order; empty where no audit is used."""
    return query(
        "SELECT audits.* FROM audits JOIN metrics USING (task_key, metric) WHERE task_key = ? ORDER BY position", key
    )


def ranking(key: str) -> list[Record]:
    """A task's entrants, best first; by the main metric where nothing is ranked."""
    return query(
        """
        SELECT ranks.*, submissions.title, submissions.kind, submissions.submission_hash,
            submissions.made_elsewhere
        FROM ranks
        JOIN submissions USING (task_key, entrant)
        JOIN tasks USING (task_key)
        LEFT JOIN results ON results.task_key = ranks.task_key AND results.entrant = ranks.entrant
            AND results.metric = tasks.main_metric
        WHERE ranks.task_key = ?
        ORDER BY ranks.rank NULLS LAST, ranks.note <> '', score DESC NULLS LAST,
            CASE results.direction WHEN 'lower' THEN mean ELSE -mean END, ranks.entrant
        """,
        key,
    )


def results(key: str) -> dict[tuple[str, str], Record]:
    """A task's results by entrant and metric."""
    return {(r["entrant"], r["metric"]): r for r in query("SELECT * FROM results WHERE task_key = ?", key)}


def landing() -> list[Record]:
    """Every task with its sentence, who leads and what the cheapest of those that are not told apart takes."""
    return query(
        """
        SELECT tasks.*, sentences.* EXCLUDE (task_key), lead.score, lead.score_low, lead.score_high,
            cheap.seconds AS cheapest_seconds,
            (SELECT count(*) FROM ranks WHERE ranks.task_key = tasks.task_key) AS entrants
        FROM tasks JOIN sentences USING (task_key)
        LEFT JOIN ranks AS lead ON lead.task_key = tasks.task_key AND lead.entrant = sentences.leader
        LEFT JOIN ranks AS cheap ON cheap.task_key = tasks.task_key AND cheap.entrant = sentences.cheapest
        ORDER BY tasks.track, tasks.task_key
        """
    )


def sentence(key: str) -> Record:
    """What a task's ranking comes to."""
    return query("SELECT * FROM sentences WHERE task_key = ?", key)[0]


def pairs(key: str, metric: str) -> list[Record]:
    """Every two entrants of a task by a metric or by the score, each from both sides."""
    return query("SELECT * FROM pairs WHERE task_key = ? AND metric = ?", key, metric)


def traits() -> list[Record]:
    """What entrants of all tasks can be filtered by: kind, access to the model, CPU seconds, isolations of their runs,
    flags of sanity."""
    return query(
        """
        SELECT ranks.*, submissions.submission, submissions.kind, submissions.access,
            (SELECT list_sort(list(DISTINCT isolation)) FROM runs
                WHERE runs.task_key = ranks.task_key AND runs.entrant = ranks.entrant) AS isolation,
            (SELECT count(*) FILTER (flag <> '') FROM sanity
                WHERE sanity.task_key = ranks.task_key AND sanity.entrant = ranks.entrant) AS flags
        FROM ranks JOIN submissions USING (task_key, entrant)
        ORDER BY ranks.task_key, ranks.score DESC NULLS LAST, ranks.entrant
        """
    )


Exhibits = dict[tuple[str, str], str]
"""Paths of exhibits by label and part."""


def exhibits(key: str, item: str, *entrants: str) -> Exhibits:
    """An item's own exhibits, and those that the explanations of entrants left."""
    found: Exhibits = {}
    for entrant in ("", *entrants):
        wanted = "task_key = ? AND item = ? AND entrant = ?"
        rows = query(f"SELECT * FROM exhibits WHERE {wanted} ORDER BY position", key, item, entrant)
        found |= {(row["label"], row["part"]): row["path"] for row in rows}
    return found


def beside(path: str) -> Path | None:
    """A file that a row of the board points to; None where it is gone."""
    file = board_file()
    if not path or file is None:
        return None
    found = file.parent / path
    return found if found.is_file() else None


@st.cache_data(max_entries=256, show_spinner=False)
def arrays(path: str, item: str, changed: float) -> dict[str, np.ndarray]:
    """An item's arrays in a safetensors file; `changed` is the file's time, so that a replaced file is read again."""
    try:
        with safe_open(path, framework="numpy") as file:
            mine = [key for key in file.keys() if key.rpartition("/")[0] == item]  # noqa: SIM118
            return {key.rpartition("/")[2]: file.get_tensor(key) for key in mine}
    except (SafetensorError, OSError):
        return {}


def item_arrays(path: str, item: str) -> dict[str, np.ndarray]:
    """An item's arrays in a file that the board points to; empty where there are none."""
    found = beside(path)
    return {} if found is None else arrays(str(found), item, found.stat().st_mtime)


@st.cache_data(max_entries=256, show_spinner=False)
def _document(path: str, changed: float) -> Record:
    """A JSON file; `changed` is its time, so that a replaced file is read again."""
    try:
        found: Record = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def document(path: str) -> Record:
    """A JSON file that the board points to; empty where there is none that can be read."""
    found = beside(path)
    return {} if found is None else _document(str(found), found.stat().st_mtime)


def curve(path: str) -> Record:
    """A curve that the board points to, with as many values in each line as on its axis; empty where there is none."""
    found = document(path)
    try:
        places = len(found["x"]["values"])
        usable = all(len(line) == places for line in found["lines"].values()) and "label" in found["x"]
    except (KeyError, TypeError, AttributeError):
        return {}
    return found if usable else {}


def parsed(text: str) -> Any:
    """JSON that the board keeps as text; None where there is none."""
    return json.loads(text) if text else None
