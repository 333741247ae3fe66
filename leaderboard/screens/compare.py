"""Two entrants side by side: what the verdict engine says of them by every metric, and where they differ most."""

from __future__ import annotations

import charts
import pandas as pd
import streamlit as st
from reading import Record, metrics, pairs, query, ranking, results, sentence, task
from state import pick
from wording import ARROWS, explained, inert, metric_label, number, rounded, unsigned

from earwitness.board.pair_sentences import pair_sentence

SCORE = "score"
MOST = 5
# Items on either side.
VERDICTS = {"better": "▲ {a} is better", "worse": "▼ {b} is better", "equivalent": "= equivalent"}


def choose(picked: Record) -> tuple[str, str] | None:
    """The two entrants; the leader and the first that it is not told apart from, where nobody is picked."""
    names = [entrant["entrant"] for entrant in ranking(picked["task_key"])]
    if len(names) < 2:
        st.info("There is one submission on this task: nobody to compare it with.")
        return None
    said = sentence(picked["task_key"])
    left, right = st.columns(2)
    with left:
        first = pick("Compare", names, "a", said["leader"] or names[0])
    others = [name for name in names if name != first]
    near = next((name for name in said["rivals"] or () if name != first), others[0])
    if st.session_state.get("b") == first:
        st.session_state["b"] = near
    with right:
        return first, pick("with", others, "b", near)


def by_metrics(picked: Record, first: str, second: str, measured: list[Record]) -> None:
    """Every metric of the two, with the engine's words."""
    rows = query(
        "SELECT * FROM pairs WHERE task_key = ? AND entrant = ? AND against = ?", picked["task_key"], first, second
    )
    told = {row["metric"]: row for row in rows}
    ranked_by = "the score" if picked["ranked_by"] == "calibrated" else picked["main_metric"]
    if SCORE in told:
        said = st.success if told[SCORE]["verdict"] in VERDICTS else st.info
        said(inert(pair_sentence(told[SCORE], ranked_by)))
    elif not told:
        st.info("These two were not compared: the board pairs those with the highest scores.")
    found, key = results(picked["task_key"]), "mean"
    scores = {entrant["entrant"]: unsigned(entrant["score"], 3) for entrant in ranking(picked["task_key"])}
    table = [
        {**_row("score", told[SCORE], first, second), first: scores.get(first), second: scores.get(second)}
        if metric is None else
        {
            **_row(metric_label(metric), told.get(metric["metric"]), first, second),
            first: found.get((first, metric["metric"]), {}).get(key),
            second: found.get((second, metric["metric"]), {}).get(key),
            "What it is": explained(metric),
        }
        for metric in ([None] if SCORE in told else []) + [*measured]
    ]  # fmt: skip
    order = [
        "Metric",
        "Verdict",
        first,
        second,
        "Gain",
        "Low",
        "High",
        "p",
        "Ahead on",
        "Items to settle",
        "What it is",
    ]
    config: Record = {
        "Metric": st.column_config.TextColumn(width=240),
        "Verdict": st.column_config.TextColumn(width=200),
        "What it is": st.column_config.TextColumn(width=420),
        **{name: st.column_config.NumberColumn(format="%.3f") for name in (first, second, "Low", "High")},
        "p": st.column_config.NumberColumn(format="%.4f", help="Adjusted for the family, both sides"),
        "Gain": st.column_config.NumberColumn(
            format="%.3f", help=f"How much more faithful {first} is than {second}, whichever way the metric points"
        ),
        "Ahead on": st.column_config.NumberColumn(
            format="percent", help=f"Share of items on which {first} is more faithful, ties counted half"
        ),
        "Items to settle": st.column_config.NumberColumn(
            format="localized", help="Items that would tell a gain as large as this one, with 80 % power"
        ),
    }
    st.dataframe(
        pd.DataFrame(table, columns=order), hide_index=True, height="content", column_config=config, placeholder="–"
    )
    families = sorted({row["family"] for row in rows if row["metric"] != SCORE})
    if families:
        st.caption(
            "Verdicts are of sign-flip tests on clusters, adjusted (max-T) over all pairs of submissions by the score, "
            f"over all pairs by all headline metrics, and over all pairs by each other metric ({families[0]:,} to "
            f"{families[-1]:,} comparisons): stricter than `earwitness compare`, which tests one pair. Means of a "
            "metric are raw; the gain is paired, on the items of both."
        )


def _row(name: str, told: Record | None, first: str, second: str) -> Record:
    told = told or {}
    verdict = told.get("verdict") if told.get("gain") is not None else None
    return {
        "Metric": name,
        "Verdict": VERDICTS.get(verdict or "", verdict or "").format(a=first, b=second),
        "Gain": unsigned(told.get("gain"), 3),
        "Low": unsigned(told.get("low"), 3),
        "High": unsigned(told.get("high"), 3),
        "p": told.get("p"),
        "Ahead on": None if told.get("improvement") is None else round(told["improvement"], 2),
        "Items to settle": rounded(told.get("needed")) if verdict == "not told apart" else None,
    }


def items(picked: Record, first: str, second: str, metric: Record) -> None:
    """Items on which the two differ most by a metric, each with a way to hear it."""
    sign = {"higher": 1, "lower": -1}[metric["direction"]]
    found = query(
        """
        SELECT item, ours.value AS a, theirs.value AS b, ? * (ours.value - theirs.value) AS gain
        FROM item_values AS ours JOIN item_values AS theirs USING (task_key, metric, item)
        WHERE task_key = ? AND metric = ? AND ours.entrant = ? AND theirs.entrant = ? ORDER BY gain DESC, item
        """,
        sign, picked["task_key"], metric["metric"], first, second,
    )  # fmt: skip
    ahead = [row for row in found if row["gain"] > 0][:MOST]
    behind = [row for row in reversed(found) if row["gain"] < 0][:MOST]
    for column, name, rows in zip(st.columns(2, gap="large"), (first, second), (ahead, behind), strict=True):
        with column:
            st.markdown(f"**{inert(name)}** is more faithful on" if rows else f"**{inert(name)}** is nowhere ahead.")
            for row in rows:
                st.page_link(
                    "screens/item.py",
                    label=f"{row['item']}: {number(row['a'])} against {number(row['b'])} →",
                    query_params={"task": picked["task_key"], "item": row["item"], "a": first, "b": second},
                )


def matrix(picked: Record, measured: list[Record]) -> None:
    """Every submission against every other one."""
    options = [SCORE, *(metric["metric"] for metric in measured if metric["direction"] != "none")]
    st.header("Everybody against everybody")
    box, _ = st.columns(2)
    with box:
        by = pick("By", options, "by", SCORE if pairs(picked["task_key"], SCORE) else options[min(1, len(options) - 1)])
    found = pairs(picked["task_key"], by)
    if not found:
        st.info("Nobody has a score here; choose a metric.")
        return
    names = {row["entrant"] for row in found}
    order = [entrant["entrant"] for entrant in ranking(picked["task_key"]) if entrant["entrant"] in names]
    st.altair_chart(charts.matrix(pd.DataFrame(found), order), width="stretch")
    st.caption(
        "▲ the submission of the row is better than that of the column, ▼ it is worse, = they are equivalent (within "
        "5 % of the way from the random explainer to the ceiling), · they are not told apart."
    )
    with st.expander("The same as a table"):
        shown = pd.DataFrame(found)[["entrant", "against", "verdict", "gain", "low", "high", "p", "needed"]]
        st.dataframe(shown, hide_index=True, placeholder="–")


def show() -> None:
    picked = task()
    measured = metrics(picked["task_key"])
    st.title("Which of two?")
    st.caption(inert(picked["title"]))
    chosen = choose(picked)
    if chosen is None:
        return
    by_metrics(picked, *chosen, measured)
    told = {metric["metric"]: metric for metric in measured if metric["direction"] != "none"}
    if told:
        st.header("Where do they differ most?")
        main = picked["main_metric"] if picked["main_metric"] in told else next(iter(told))
        box, _ = st.columns(2)
        with box:
            by = pick("Metric", list(told), "metric", main, lambda m: f"{m} {ARROWS[told[m]['direction']]}")
        items(picked, *chosen, told[by])
    matrix(picked, measured)


show()
