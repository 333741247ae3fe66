"""Score against cost, and what other budgets of a submission are worth."""

from __future__ import annotations

import charts
import pandas as pd
import streamlit as st
from reading import Record, query
from wording import number, with_interval

COSTS = {"passes": ("passes", "front", 0.5), "CPU seconds": ("seconds", "front_seconds", 0.001)}
# Columns of a cost and of its Pareto front, and what stands for nothing on a logarithmic scale. A backward pass counts
# two.


def cost(picked: Record, entrants: list[Record]) -> None:
    """Score against cost, with the other budgets of those that were run at several."""
    kinds = {entrant["entrant"]: entrant["kind"] for entrant in entrants}
    points = query(
        "SELECT * FROM budgets WHERE task_key = ? AND score IS NOT NULL AND seconds IS NOT NULL", picked["task_key"]
    )
    if not points:
        return
    st.header("What does it cost?")
    unit = st.segmented_control(
        "Cost", list(COSTS), default=next(iter(COSTS)), key="cost", bind="query-params",
        label_visibility="collapsed", required=True,
    ) or next(iter(COSTS))  # fmt: skip
    column, front, least = COSTS[unit]
    frame = pd.DataFrame(
        [
            {**p, "cost": max(p[column], least), "front": p[front], "kind": kinds.get(p["entrant"], "entrant")}
            for p in points
        ]
    )
    st.altair_chart(charts.cost(frame, f"{unit} an explanation (median)"), width="stretch")
    st.caption("The dashed line joins the Pareto front of the scores as they were measured: no verdict.")
    several = {point["entrant"] for point in points if not point["own"]}
    shown = sorted((p for p in points if p["entrant"] in several), key=lambda p: (p["entrant"], p["budget"] or 0))
    if shown:
        st.dataframe(pd.DataFrame([_budget(point) for point in shown]), hide_index=True, height="content")
        st.caption(
            "Budgets: filled points are submissions' own, which are ranked; the others are not. Like the largest: "
            "Spearman's correlation of a map with that at the largest budget, mean over items."
        )


def _budget(point: Record) -> Record:
    return {
        "Submission": point["entrant"],
        "Budget": f"{point['budget'] or 0:,} {point['parameter']}" + (" (its own)" if point["own"] else ""),
        "Passes": round(point["passes"]),
        "CPU s": round(point["seconds"], 2),
        "Score": with_interval(point, "score", "score_"),
        "Like the largest": number(point["convergence"]),
    }
