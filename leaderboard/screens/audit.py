"""Which metric should I trust? What the task's audit found out about each of its metrics."""

from __future__ import annotations

import pandas as pd
import streamlit as st
from reading import Record, audits, metrics, parsed, task
from wording import ARROWS, number, with_interval

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


def table(picked: Record) -> None:
    directions = {metric["metric"]: metric for metric in metrics(picked["task_key"])}
    found = [row for row in audits(picked["task_key"]) if directions[row["metric"]]["direction"] != "none"]
    rows = [
        {
            "Metric": f"{row['metric']} {ARROWS[directions[row['metric']]['direction']]}",
            "Headline": bool(directions[row["metric"]]["headline"]),
            "Informative": "yes" if row["informative"] else "no",
            "Against it": "; ".join(dict.fromkeys(flag.partition(":")[0] for flag in row["flags"])),
            "Gap": with_interval(row, "gap", "gap_"),
            "Forms, means": number(row["ladder"]),
            "Forms, items": with_interval(row, "ladder_items", "ladder_"),
            "Reliability": number(row["reliability"]),
            "Model truth": _against_chance(row),
            "Gamed": _gamed(row),
            "Under changes": _survival(row),
        }
        for row in found
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, height="content")
    flagged = [row for row in found if row["flags"]]
    if flagged:
        st.subheader("What speaks against which")
        for row in flagged:
            st.markdown("\n".join([f"**`{row['metric']}`**", *(f"* {flag}" for flag in row["flags"])]))


def _against_chance(row: Record) -> str:
    if row["truth"] is None:
        return "–"
    return f"{row['truth']:.2f} (chance {row['truth_low']:.2f} to {row['truth_high']:.2f})"


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
    return f"{shares[most]:.2f} by {most}"


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
