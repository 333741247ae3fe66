"""Who is faithful on a task, how sure that is, what a change does to it, and what it costs."""

from __future__ import annotations

import charts
import pandas as pd
import ranking_table
import stability
import streamlit as st
from controls import against
from costs import cost
from filters import ALL, filtered
from life import on_task
from ranking_table import CALIBRATED, RAW
from reading import Record, metrics, parsed, query, ranking, results, sentence, task, traits
from state import pick
from wording import ARROWS, inert, metric_label, number, plural, with_interval

from earwitness.board import held_out as beside
from earwitness.board import origins
from earwitness.metrics import name_of

SCORE = "score"
Point = tuple[Record, Record | None, str, str]
# An entrant, the record that its value is from, the column of the value, and what begins those of its interval.


def header(picked: Record, entrants: list[Record]) -> None:
    st.title(inert(picked["title"]))
    st.success(inert(sentence(picked["task_key"])["sentence"]))
    if picked["note"]:
        st.info(picked["note"])
    st.markdown(f"Model: **{inert(picked['model'])}**")
    level = f"{100 * picked['level']:.0f} % intervals over {plural(picked['clusters'], 'cluster')}"
    level += f" ({picked['ways']})" if picked["ways"] else ""
    counts = [plural(len(entrants), "submission"), plural(picked["items"], "item"), plural(picked["rows"], "row")]
    st.caption(" · ".join([*counts, level, f"task hash {picked['task_hash'][:8]}"]))
    on_task(picked)


@st.fragment
def values(picked: Record, entrants: list[Record], measured: list[Record]) -> None:
    """The chart and the table, on one scale."""
    by_id = {metric["metric"]: metric for metric in measured}
    ranked = any(entrant["score"] is not None for entrant in entrants)
    options = [SCORE, *by_id] if ranked else list(by_id)
    main = SCORE if ranked else picked["main_metric"] if picked["main_metric"] in by_id else options[0]
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    with left:
        chosen = pick("Chart", options, "metric", main, lambda m: _option(m, by_id))
    with right:
        scale = st.segmented_control(
            "Scale",
            [CALIBRATED, RAW],
            default=CALIBRATED if ranked else RAW,
            key="scale",
            bind="query-params",
            required=True,
        )
    found, every = results(picked["task_key"]), entrants
    entrants = of_traits(picked, of_origin(every))
    if not entrants:
        st.info("No submission is of all that is asked for.")
        return
    if chosen == SCORE:
        rows: list[Point] = [(e, e, SCORE, "score_") for e in entrants]
        st.altair_chart(charts.forest(_points(rows), "score", _ends(None)), width="stretch")
    else:
        metric = by_id[chosen]
        shown = scale if metric["informative"] else RAW
        name, prefix = ("calibrated", "calibrated_") if shown == CALIBRATED else ("mean", "")
        rows = [(e, found.get((e["entrant"], chosen)), name, prefix) for e in entrants]
        title = f"{chosen}, {shown}" + {"higher": ", higher is more faithful", "lower": ", lower is more faithful"}.get(
            metric["direction"], ""
        )
        st.altair_chart(charts.forest(_points(rows), title, _ends(metric if shown == RAW else None)), width="stretch")
        st.caption(_reading(metric, shown))
    ranking_table.table(
        entrants,
        [m for m in measured if m["headline"] or m["metric"] == chosen],
        found,
        scale or RAW,
        picked["clusters"],
    )
    for note in origins.notes(every, entrants):
        st.caption(note)
    ranking_table.downloads(picked["task_key"], ranking_table.numbers(every, measured, found))


def of_traits(picked: Record, entrants: list[Record]) -> list[Record]:
    """The entrants that are asked for by what is known of them."""
    names = {entrant["entrant"] for entrant in entrants}
    mine = [r for r in traits() if r["task_key"] == picked["task_key"] and r["entrant"] in names]
    kept = {record["entrant"] for record in filtered(mine)}
    return [entrant for entrant in entrants if entrant["entrant"] in kept]


def of_origin(entrants: list[Record]) -> list[Record]:
    """The entrants that are asked for, by where their explanations were made; no choice where all are of one origin."""
    if len({entrant["made_elsewhere"] for entrant in entrants}) < 2:
        return entrants
    only = st.segmented_control(
        "Shown", [ALL, *origins.SHOWN], default=ALL, key="only", bind="query-params", required=True
    )
    return origins.chosen(entrants, "" if only in (None, ALL) else only)


def _option(metric: str, by_id: dict[str, Record]) -> str:
    return metric_label(by_id[metric]) if metric in by_id else "score: mean calibrated headline metric"


def _points(rows: list[Point]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "entrant": entrant["entrant"],
                "kind": entrant["kind"],
                "group": entrant["rank_group"],
                "value": record[name],
                "low": record[f"{prefix}low"],
                "high": record[f"{prefix}high"],
            }
            for entrant, record, name, prefix in rows
            if record and record[name] is not None
        ],
        columns=["entrant", "kind", "group", "value", "low", "high"],
    )


def _ends(metric: Record | None) -> pd.DataFrame:
    """Floor and ceiling of a metric; 0 and 1 on the calibrated scale."""
    if metric is None:
        ends = [("random", 0.0, 0.0, 0.0), ("ceiling", 1.0, 1.0, 1.0)]
    else:
        named = (("floor", "random"), ("ceiling", "ceiling"))
        ends = [(t, metric[n], metric[f"{n}_low"], metric[f"{n}_high"]) for n, t in named if metric[n] is not None]
    return pd.DataFrame(ends, columns=["end", "value", "low", "high"])


def _reading(metric: Record, shown: str) -> str:
    """What a chart of a metric shows, in words."""
    text = metric["summary"]
    if metric["informative"] is False and metric["direction"] != "none":
        text += " **Uninformative on this task**: its audit cannot tell the ceiling from random, so it enters no rank."
    elif metric["informative"] is None and metric["direction"] != "none":
        why = "No ceiling is known here" if metric["ceiling"] is None else "It is not audited on this task"
        text += f" {why}, so it is not calibrated."
    if shown == CALIBRATED:
        text += " Calibrated: 0 is the random explainer, 1 is the ceiling."
    return str(text)


@st.fragment
def curves(picked: Record, entrants: list[Record], measured: list[Record]) -> None:
    """Headline metrics at every mass that the card asks for."""
    found = results(picked["task_key"])
    names = {metric["name"] for metric in measured if metric["headline"]}
    shares = {m["metric"]: _share(m) for m in measured if m["name"] in names}
    known = {metric: share for metric, share in shares.items() if share is not None}
    if len(set(known.values())) < 2:
        return
    st.header("At other masses")
    st.caption("Every explanation keeps the same share of words in every frame: a dense one gains nothing by density.")
    order = [entrant["entrant"] for entrant in entrants]
    preset = [e for n, e in enumerate(order) if n < 4 or e == picked["floor"]]
    shown = st.multiselect(
        "Submissions", order, default=preset, key="shown", bind="query-params", label_visibility="collapsed"
    )
    panels = list(dict.fromkeys(name_of(metric) for metric in known))
    for column, panel in zip(st.columns(len(panels)), panels, strict=True):
        rows = [
            {"entrant": entrant, "share": share, **found[entrant, metric]}
            for metric, share in known.items()
            for entrant in shown
            if name_of(metric) == panel and (entrant, metric) in found
        ]
        if rows:
            arrow = next(ARROWS[m["direction"]] for m in measured if m["name"] == panel)
            column.altair_chart(charts.curves(pd.DataFrame(rows), order, f"{panel} {arrow}"), width="stretch")
    if shown:
        st.altair_chart(charts.legend(shown, order), width="stretch")


def _share(metric: Record) -> int | None:
    """Share of words that a metric's mask keeps, in %, where it has no other parameter."""
    parameters = parsed(metric["parameters"])
    mask = str(parameters.get("mask", ""))
    return int(mask[3:]) if len(parameters) == 1 and mask.startswith("top") and mask[3:].isdigit() else None


def failures(picked: Record) -> None:
    """Items without an explanation, with reasons."""
    found = query(
        """SELECT entrant AS "Submission", item AS "Item", status AS "Status", reason AS "Reason" FROM items
        WHERE task_key = ? AND status NOT IN ('ok', 'skipped') ORDER BY entrant, item""",
        picked["task_key"],
    )
    if found:
        st.header("Failed items")
        st.caption(f"{plural(len(found), 'explanation')} failed; each counts as the random explainer's.")
        st.dataframe(pd.DataFrame(found), hide_index=True)


def provenance(picked: Record) -> None:
    """Which runs and rows the numbers come from."""
    runs = query("SELECT * FROM runs WHERE task_key = ? ORDER BY entrant, run", picked["task_key"])
    with st.expander(f"Where these numbers come from: {plural(len(runs), 'run')}, {plural(picked['rows'], 'row')}"):
        recipes = {run["run"]: parsed(run["recipe"]) for run in runs}
        rows = [
            {
                "Submission": run["entrant"],
                "Run": run["run"],
                "Rows": run["rows"],
                "Fingerprint": run["fingerprint"][:12],
                "Isolation": run["isolation"],
                "Commit": str((recipes[run["run"]].get("git") or {}).get("commit") or "")[:10],
                "Finished": recipes[run["run"]].get("finished"),
            }
            for run in runs
        ]
        st.dataframe(pd.DataFrame(rows), hide_index=True)
        chosen = st.selectbox("Recipe", list(recipes), key="recipe", bind="query-params")
        if chosen:
            st.json(recipes[chosen], expanded=1)
            st.code(
                f"earwitness verify {next(run['folder'] for run in runs if run['run'] == chosen)}", language="shell"
            )


def held_out(picked: Record) -> None:
    """Entrants on public and on held-out items."""
    found = query(
        "SELECT * FROM held_out WHERE task_key = ? ORDER BY held_out_key, entrant, metric", picked["task_key"]
    )
    if not found:
        return
    st.header("Held-out items")
    rows = [
        {
            "Submission": record["entrant"] + (f" {beside.FLAG}" if beside.flagged(found, record["entrant"]) else ""),
            "Metric": record["metric"],
            "Score": with_interval(record, "score", "score_"),
            "Score, held out": with_interval(record, "held_out_score", "held_out_score_"),
            "Gain": number(record["gain"]),
            "Gain, held out": number(record["held_out_gain"]),
            "Difference": with_interval(record, "difference", ""),
            "Verdict": beside.said(record),
        }
        for record in found
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, height="content")
    st.caption(beside.reading(found))


def show() -> None:
    picked = task()
    entrants, measured = ranking(picked["task_key"]), metrics(picked["task_key"])
    header(picked, entrants)
    values(picked, entrants, measured)
    cost(picked, entrants)
    left = query("SELECT * FROM exclusions WHERE task_key = ?", picked["task_key"])
    if left:
        first, second = st.columns([2, 3], gap="large")
        with first:
            stability.parts(measured, left)
        with second:
            stability.without(left, entrants)
    changes = query("SELECT * FROM changes WHERE task_key = ? ORDER BY change", picked["task_key"])
    if changes:
        stability.survival(changes, entrants)
    against(picked, entrants, measured)
    curves(picked, entrants, measured)
    held_out(picked)
    failures(picked)
    provenance(picked)


show()
