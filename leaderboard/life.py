"""Notices on what is shown, how often an entrant was tried, and how it is cited."""

from __future__ import annotations

import streamlit as st
from reading import Record, query
from wording import inert

from earwitness.board.life_lines import notice_line, tries_line

_ON_TASK = """
    SELECT * FROM notices
    WHERE (task = $1 AND (task_version IS NULL OR task_version = $2))
        OR (task = '' AND entrant IN (SELECT submission FROM versions WHERE task = $1))
    ORDER BY date DESC, entrant
"""
_OF_ENTRANT = """
    SELECT * FROM notices WHERE entrant = ? AND submission_hash IN ('', ?) AND task IN ('', ?) ORDER BY date DESC
"""


def on_task(picked: Record) -> None:
    """What is said of the task and of whoever has rows on it, or had some."""
    _shown(query(_ON_TASK, picked["task"], picked["version"]))


def of_entrant(record: Record, picked: Record) -> None:
    """What is said of an entrant on the task."""
    _shown(query(_OF_ENTRANT, record["submission"], record["submission_hash"], picked["task"]))


def _shown(notices: list[Record]) -> None:
    if notices:
        # Two spaces end a line of Markdown.
        st.warning("  \n".join(f"{notice['date']}: {inert(notice_line(notice))}" for notice in notices))


def tries(record: Record, picked: Record) -> str:
    """How often an entrant was tried on the task; empty of whose tries are not counted."""
    found = query(
        "SELECT * FROM versions WHERE task = ? AND submission = ? AND submission_hash = ?",
        picked["task"],
        record["submission"],
        record["submission_hash"],
    )
    return tries_line(found[0]) if found and found[0]["tries_in_month"] is not None else ""


def citation(record: Record) -> None:
    """The entry that an entrant is cited by, to be copied."""
    if record["citation"]:
        st.markdown("**Citation**")
        st.code(record["citation"], language="bibtex", wrap_lines=True)
