"""Which metric should I trust? What the task's audit found out about each of its metrics."""

from __future__ import annotations

import pandas as pd
import streamlit as st
from reading import Record, audits, metrics, parsed, task
from wording import ARROWS, number, unsigned, with_interval

READING = """
* **Gap**: how much more faithful the ceiling is than random weights on the same items; a metric whose gap is not
  told from chance is uninformative and ranks nobody.
* **Forms**: from the ceiling to noise in six steps, a fifth of it lost at each. Spearman's correlation of the
  metric with what is left, of the means over items and on single items: 1 where it falls at every step.
* **Reliability**: how far another set of generation seeds would give the same values.
* **Model truth**: agreement on single items with what intervention on this very model shows, and what it would be
  by chance.
* **Under changes**: Kendall's tau of the order of all that was tried, with another judge, operator or noise.
* **Gamed**: the most that an explanation that knows nothing gets, from random weights (0) to the ceiling (1).
"""
NUMBERS = {
    "Gap": "How much more faithful the best known explanation is than random weights; where that is not told from "
    "chance, the metric is uninformative and ranks nobody",
    "Forms, means": "Spearman's correlation of the metric with what is left as the best explanation is spoiled in six "
    "steps, means over items: 1 where it falls at every step",
    "Forms, items": "The same on single items",
    "Reliability": "How far another set of generation seeds would give the same values: 1 is the very same",
    "Model truth": "Agreement on single items with what intervention on this very model shows",
}
TEXTS = {
    "Headline": "Enters the score, if it is informative",
    "Informative": "Whether it tells the best known explanation from random weights",
    "Against it": "What the audit holds against it; the sentences stand below",
    "Truth by chance": "Where the agreement with the truth would lie by chance",
    "Gamed": "The most that an explanation that knows nothing gets, from random weights (0) to the ceiling (1)",
    "Under changes": "Kendall's tau of the order of all that was tried, with another judge, operator or noise",
}
COLUMNS = {
    "Metric": st.column_config.TextColumn(width=240),
    **{name: st.column_config.NumberColumn(format="%.2f", help=text) for name, text in NUMBERS.items()},
    **{name: st.column_config.Column(help=text) for name, text in TEXTS.items()},
}


def table(picked: Record) -> None:
    directions = {metric["metric"]: metric for metric in metrics(picked["task_key"])}
    found = [row for row in audits(picked["task_key"]) if directions[row["metric"]]["direction"] != "none"]
    ends = st.toggle("Intervals", key="intervals", bind="query-params")
    rows = [
        {
            "Metric": f"{row['metric']} {ARROWS[directions[row['metric']]['direction']]}",
            "Headline": bool(directions[row["metric"]]["headline"]),
            "Informative": "yes" if row["informative"] else "no",
            "Against it": "; ".join(dict.fromkeys(flag.partition(":")[0] for flag in row["flags"])),
            "Gap": unsigned(row["gap"]),
            **({"Gap, interval": with_interval(row, "gap", "gap_")} if ends else {}),
            "Forms, means": unsigned(row["ladder"]),
            "Forms, items": unsigned(row["ladder_items"]),
            **({"Forms, items, interval": with_interval(row, "ladder_items", "ladder_")} if ends else {}),
            "Reliability": unsigned(row["reliability"]),
            "Model truth": unsigned(row["truth"]),
            **({"Truth by chance": _chance(row)} if ends else {}),
            "Gamed": _gamed(row),
            "Under changes": _survival(row),
        }
        for row in found
    ]
    frame = pd.DataFrame(rows).astype(dict.fromkeys(NUMBERS, float))
    st.dataframe(frame, hide_index=True, height="content", column_config=COLUMNS, placeholder="–")
    flagged = [row for row in found if row["flags"]]
    if flagged:
        st.header("What speaks against which")
        for row in flagged:
            st.markdown("\n".join([f"**`{row['metric']}`**", *(f"* {flag}" for flag in row["flags"])]))


def _chance(row: Record) -> str:
    return "–" if row["truth"] is None else f"{number(row['truth_low'])} to {number(row['truth_high'])}"


def _survival(row: Record) -> str:
    found = parsed(row["survival"]) or {}
    told = [f"{name} {against['value']:.2f}" for name, against in found.items() if against["value"] is not None]
    return ", ".join(told) or "–"


def _gamed(row: Record) -> str:
    found = (parsed(row["gaming"]) or {}) if row["informative"] else {}
    shares = {name: each["calibrated"] for name, each in found.items() if each["calibrated"] is not None}
    if not shares:
        return "–"
    most = max(shares, key=shares.__getitem__)
    return f"{number(shares[most])} by {most}"


def show() -> None:
    picked = task()
    st.title("Which metric should I trust?")
    found = audits(picked["task_key"])
    if not found:
        st.caption(picked["title"])
        st.info(
            "No audit of these weights and items is stored with the task, and nothing is known of its metrics: "
            f"`earwitness audit {picked['task']}` makes one."
        )
        return
    st.caption(f"{picked['title']}, audited on {found[0]['items']} items")
    table(picked)
    with st.expander("How to read this"):
        st.markdown(READING)


show()
