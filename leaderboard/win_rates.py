"""Across tasks: how many of the others each submission beats."""

from __future__ import annotations

import charts
import pandas as pd
import streamlit as st
from reading import Record, query
from wording import plural, with_interval

EVERY = "all tracks"


@st.fragment
def across(picked: Record) -> None:
    """Win rates over the track of a task, and over all tracks, where there are two tasks."""
    found = query("SELECT * FROM across WHERE most > 1")
    scopes = {track or EVERY for track in (row["track"] for row in found) if track in (picked["track"], "")}
    if not scopes:
        return
    st.subheader("Across tasks")
    options = sorted(scopes, key=lambda scope: scope == EVERY)
    scope = options[0]
    if len(options) > 1:
        scope = st.segmented_control(
            "Over", options, default=options[0], key="over", bind="query-params", required=True,
            label_visibility="collapsed",
        )  # fmt: skip
    rows = [row for row in found if (row["track"] or EVERY) == scope]
    covered = [row for row in rows if row["tasks"] == rows[0]["tasks"]]
    st.caption(
        "Win rate: the share of the other ranked submissions of a task that the score beats, ties by half, mean over "
        "tasks, with intervals over tasks and items; they are no verdicts. Tasks count that are registered, on their "
        f"own items: {', '.join(covered[0]['names'])}."
    )
    kinds = {row["submission"]: row["kind"] for row in query("SELECT DISTINCT submission, kind FROM submissions")}
    frame = pd.DataFrame(
        [
            {
                "entrant": row["submission"],
                "kind": kinds.get(row["submission"], "entrant"),
                "value": row["win_rate"],
                "low": row["low"],
                "high": row["high"],
            }
            for row in covered
        ]
    )
    ends = pd.DataFrame([("as often as not", 0.5, 0.5, 0.5)], columns=["end", "value", "low", "high"])
    st.altair_chart(charts.forest(frame, f"win rate over {plural(covered[0]['tasks'], 'task')}", ends), width="stretch")
    fewer = [row for row in rows if row["tasks"] != rows[0]["tasks"]]
    if fewer:
        st.caption("Who covers fewer tasks met others, and is not to be compared with those above.")
        table = [
            {
                "Submission": row["submission"],
                "Tasks": f"{row['tasks']} of {row['most']}",
                "Win rate": with_interval(row, "win_rate", ""),
                "On": ", ".join(row["names"]),
            }
            for row in fewer
        ]
        st.dataframe(pd.DataFrame(table), hide_index=True, height="content")
