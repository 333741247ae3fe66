"""What became of entrants and tasks: the owner's notices, what each build changed, and who tried how often."""

from __future__ import annotations

import pandas as pd
import streamlit as st
from reading import query

TABLES = {
    "Notices": (
        "What the board's owner says, each with its day and reason. Who is withdrawn or superseded, or over the limit "
        "of tries, is in no rank.",
        """
        SELECT date AS "Day", kind AS "What", entrant AS "Submission", submission_hash AS "Version", task AS "Task",
            task_version AS "Task version", successor AS "By", reason AS "Reason"
        FROM notices ORDER BY date DESC, entrant, task
        """,
    ),
    "Changes": (
        "What each build of the board changed since the one before, the last one first, and whose rows came, went or "
        "are others since.",
        """
        SELECT date AS "Day", build AS "Build", task_key AS "Task", entrant AS "Submission", event AS "What",
            before AS "Before", after AS "After", because AS "After whose rows, or why"
        FROM history ORDER BY build DESC, position
        """,
    ),
    "Tries": (
        "Versions of entrants that have rows here or had some. In a month: which of the tries of its submission, and "
        "of its authors where they may be named, it was on the task. Baselines and controls are not counted.",
        """
        SELECT task AS "Task", submission AS "Submission", submission_hash AS "Version", month AS "Month",
            tries_in_month AS "Try in the month", "limit" AS "Limit", tries AS "Tries on the task"
        FROM versions WHERE tries_in_month IS NOT NULL ORDER BY task, submission, first
        """,
    ),
}


def show() -> None:
    st.title("What changed?")
    for title, (caption, sql) in TABLES.items():
        st.header(title)
        st.caption(caption)
        found = query(sql)
        if found:
            st.dataframe(pd.DataFrame(found), hide_index=True, height="content", placeholder="")
        else:
            st.markdown("None.")


show()
