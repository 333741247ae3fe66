"""What makes a score, and whether places survive without a metric of it, or under another judge, mask or operator."""

from __future__ import annotations

import pandas as pd
import streamlit as st
from reading import Record
from wording import ARROWS, number, place

SHARES = {
    "Share": st.column_config.ProgressColumn(
        min_value=0.0, max_value=1.0, format="percent",
        help="Of the score's variance between entrants: covariance of the metric's part with the score",
    ),
    "Weight": st.column_config.NumberColumn(format="percent", help="In the score, stored with the task's audit"),
}  # fmt: skip


def parts(measured: list[Record], left: list[Record]) -> None:
    """Share of each metric in the score, and what places are without it."""
    made = [metric for metric in measured if metric["share"] is not None]
    if len(made) < 2:
        return
    largest = max(made, key=lambda metric: float(metric["share"]))
    st.header("What makes the score?")
    says = (
        f"**{largest['metric']}** carries {100 * largest['share']:.0f} % of the score's variance between entrants, "
        "more than any other metric."
    )
    if len({round(metric["weight"], 6) for metric in made}) > 1:
        says += " Metrics weigh less where they would make the score alone."
    st.markdown(says)
    tau = {row["metric"]: row["tau"] for row in left}
    rows = [
        {
            "Metric": f"{metric['metric']} {ARROWS[metric['direction']]}",
            "Share": round(metric["share"], 2),
            "Weight": round(metric["weight"], 2),
            "τ without it": number(tau.get(metric["metric"])),
        }
        for metric in made
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, height="content", column_config=SHARES)


def without(left: list[Record], entrants: list[Record]) -> None:
    """Places without each metric of the score."""
    st.header("Places without each metric")
    st.caption("Places by the score of the other metrics alone, in brackets the ranks that are not ruled out.")
    _places({row["metric"]: f"without {row['metric']}" for row in left}, "metric", left, entrants)


def survival(found: list[Record], entrants: list[Record]) -> None:
    """Ranks under other judges and removal operators."""
    st.header("Ranks under a change")
    st.caption(
        "Places under another judge, removal, mask or comparison; τ (Kendall's) compares with the same headline "
        "metrics, in brackets with where it would lie by chance if those who share a place were tied."
    )
    titles = {row["change"]: f"{row['change']} (τ {number(row['tau'])}{_by_chance(row)})" for row in found}
    _places(titles, "change", found, entrants)


def _places(titles: dict[str, str], key: str, found: list[Record], entrants: list[Record]) -> None:
    """A row each ranked entrant: its place, and that in each of some other rankings."""
    placed = {(row["entrant"], row[key]): row for row in found}
    rows = []
    for entrant in entrants:
        if entrant["rank"] is None:
            continue
        row = {"Submission": entrant["entrant"], "Headline": place(entrant)}
        for name, title in titles.items():
            other = placed.get((entrant["entrant"], name))
            row[title] = "–" if other is None else place(other)
        rows.append(row)
    st.dataframe(pd.DataFrame(rows), hide_index=True, height="content")


def _by_chance(row: Record) -> str:
    return "" if row["tau_low"] is None else f", {number(row['tau_low'])} to {number(row['tau_high'])}"
