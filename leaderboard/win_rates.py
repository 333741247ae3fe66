"""Across tasks: how many of the others each submission beats."""

from __future__ import annotations

import charts
import pandas as pd
import streamlit as st
from reading import Record, query
from wording import plural

EVERY = "all tracks"


@st.fragment
def across(tasks: list[Record], shown: set[str]) -> None:
    """Win rates of some submissions over the tracks of tasks, and over all tracks, where there are two tasks."""
    found = query("SELECT * FROM across WHERE most > 1")
    tracks = {task["track"] for task in tasks}
    scopes = {
        row["track"] or EVERY for row in found if row["track"] in tracks or (not row["track"] and len(tracks) > 1)
    }
    if not scopes:
        return
    st.header("Across tasks")
    options = sorted(scopes, key=lambda scope: (scope != EVERY, scope))
    scope = options[0]
    if len(options) > 1:
        scope = st.segmented_control(
            "Over", options, default=options[0], key="over", bind="query-params", required=True,
            label_visibility="collapsed",
        )  # fmt: skip
    every = [row for row in found if (row["track"] or EVERY) == scope]
    rows = [row for row in every if row["submission"] in shown]
    covered = [row for row in rows if row["tasks"] == every[0]["tasks"]]
    if len(covered) < 2:
        # Nobody to stand beside: what there is has its place in the table.
        covered = []
    st.caption(
        "Win rate: the share of the other ranked submissions of a task that the score beats, ties by half, mean over "
        "tasks, with intervals over tasks and items; they are no verdicts. Tasks count that are registered, on their "
        f"own items: {', '.join(every[0]['names'])}."
    )
    if covered:
        _chart(covered)
    fewer = [row for row in rows if row not in covered]
    if fewer:
        _fewer(fewer)


def _chart(covered: list[Record]) -> None:
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


def _fewer(fewer: list[Record]) -> None:
    st.caption("Rates over other tasks are of other opponents: compare those of the same tasks alone.")
    table = [
        {
            "Submission": row["submission"],
            "Tasks": f"{row['tasks']} of {row['most']}",
            "Win rate": row["win_rate"],
            "Low": row["low"],
            "High": row["high"],
            "On": ", ".join(row["names"]),
        }
        for row in fewer
    ]
    numbers = {name: st.column_config.NumberColumn(format="%.2f") for name in ("Win rate", "Low", "High")}
    st.dataframe(pd.DataFrame(table), hide_index=True, height="content", column_config=numbers)
