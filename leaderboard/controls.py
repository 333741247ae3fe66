"""Which entrants beat a control, metric by metric."""

from __future__ import annotations

import pandas as pd
import streamlit as st
from reading import Record, query
from state import pick
from wording import with_interval


@st.fragment
def against(picked: Record, entrants: list[Record], measured: list[Record]) -> None:
    """Which entrants beat a control, metric by metric."""
    known = query("SELECT DISTINCT control FROM contrasts WHERE task_key = ?", picked["task_key"])
    names = {row["control"] for row in known}
    controls = [entrant["entrant"] for entrant in entrants if entrant["entrant"] in names]
    if not controls:
        return
    st.header("Who beats the controls?")
    control = pick("Control", controls, "control", controls[0], str)
    sql = "SELECT * FROM contrasts WHERE task_key = ? AND control = ? AND gain IS NOT NULL"
    compared = query(sql, picked["task_key"], control)
    rows = {(row["entrant"], row["metric"]): row for row in compared}
    shown = [m for m in measured if m["headline"] and any(metric == m["metric"] for _, metric in rows)]
    family = max((row["family"] for row in compared if row["metric"] in {m["metric"] for m in shown}), default=0)
    for metric in shown:
        st.markdown(_verdict(control, metric["metric"], rows))
    st.caption(
        f"How much more faithful than {control} on the same items, with intervals; above 0 is more faithful, whichever "
        "way the metric points. ▲ better, ▼ worse and = equivalent (within 5 % of the way from the random explainer to "
        f"the ceiling), by sign-flip tests on clusters, adjusted over {family} comparisons (max-T); intervals agree."
    )
    others = [entrant["entrant"] for entrant in entrants if entrant["entrant"] != control]
    table = [
        {"Submission": name, **{m["metric"]: _gain(rows.get((name, m["metric"]))) for m in shown}} for name in others
    ]
    st.dataframe(pd.DataFrame(table), hide_index=True, height="content")


def _verdict(control: str, metric: str, rows: dict[tuple[str, str], Record]) -> str:
    """One sentence on a metric."""
    own = {name: row["verdict"] for (name, of), row in rows.items() if of == metric}
    better = sorted(name for name, verdict in own.items() if verdict == "better")
    if better:
        return f"**{metric}**: better than {control}: {', '.join(better)}."
    if own and set(own.values()) == {"too few items"}:
        return f"**{metric}**: too few items: not even a gain on every one of them would be told from chance."
    return f"**{metric}**: no submission is better than {control}."


def _gain(row: Record | None) -> str:
    if row is None or row["gain"] is None:
        return "–"
    mark = {"better": " ▲", "worse": " ▼", "equivalent": " ="}.get(row["verdict"], "")
    return with_interval(row, "gain", "") + mark
