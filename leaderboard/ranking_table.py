"""The table of a ranking, in numbers that sort as numbers, and the same to download."""

from __future__ import annotations

import io

import pandas as pd
import streamlit as st
from reading import Record
from wording import ARROWS, explained, rank_interval, unsigned

from earwitness.board import origins

CALIBRATED, RAW = "calibrated", "raw"
# Rows beside the entrants that calibrate nothing.
MARKS = {"truth": "Truth", "anti": "Anti-oracle"}
COLUMNS = {
    "Group": st.column_config.NumberColumn(
        width=50, format="%d", help="All of a group are better than all of the next; within it, not every two are"
    ),
    "Place": st.column_config.NumberColumn(width=50, format="%d", help="The place that a group shares"),
    "Ranks": st.column_config.TextColumn(width=64, help="Ranks that the data do not rule out, or why there is none"),
    "First": st.column_config.NumberColumn(
        width=50, format="percent", help="Probability of being first, by bootstrap over clusters"
    ),
    "Submission": st.column_config.TextColumn(width=150, pinned=True),
    "Score": st.column_config.NumberColumn(
        width=60,
        format="%.2f",
        help="Mean of the calibrated headline metrics: 0 is the random explainer, 1 the ceiling",
    ),
    "CPU s": st.column_config.NumberColumn(format="%.3f", help="Median CPU seconds of an explanation"),
    "Forwards": st.column_config.NumberColumn(format="%.0f", help="Median forward passes of an explanation"),
    "Backwards": st.column_config.NumberColumn(format="%.0f", help="Median backward passes of an explanation"),
    "Failed": st.column_config.NumberColumn(format="%d", help="Failed items count as the random explainer's"),
}
Results = dict[tuple[str, str], Record]


def table(entrants: list[Record], columns: list[Record], found: Results, scale: str, clusters: int) -> None:
    """A row each entrant, the ceiling above and what else is stored with the task below."""
    ends = st.toggle("Intervals of the metrics", key="intervals", bind="query-params")
    rows = [_end("Ceiling", "ceiling", columns, scale, ends)]
    rows += [_row(entrant, columns, found, scale, ends) for entrant in entrants]
    order = list(rows[-1])
    stored = [end for end in MARKS if any(metric[end] is not None for metric in columns)]
    rows += [_end(MARKS[end], end, columns, scale, ends) for end in stored]
    frame = pd.DataFrame(rows, columns=order)
    typed = [column for column in frame.columns if column not in ("Ranks", "Submission")]
    for column in typed:
        frame[column] = frame[column].astype(float).map(unsigned)
    st.dataframe(
        frame,
        hide_index=True,
        height="content",
        placeholder="",
        column_config={**COLUMNS, **_configured(columns, scale)},
    )
    _footnotes(entrants, columns, found, clusters)


def _row(entrant: Record, columns: list[Record], found: Results, scale: str, ends: bool) -> Record:
    name, prefix = ("calibrated", "calibrated_") if scale == CALIBRATED else ("mean", "")
    row = {
        "Group": entrant["rank_group"],
        "Place": entrant["rank"],
        "Ranks": entrant["note"] or rank_interval(entrant),
        "First": None if entrant["first"] is None else round(entrant["first"], 2),
        "Submission": origins.marked(entrant),
        "Score": entrant["score"],
        "Score low": entrant["score_low"],
        "Score high": entrant["score_high"],
    }
    for metric in columns:
        result = found.get((entrant["entrant"], metric["metric"]), {})
        row[_heading(metric)] = result.get(name)
        if ends:
            row[f"{_heading(metric)} low"] = result.get(f"{prefix}low")
            row[f"{_heading(metric)} high"] = result.get(f"{prefix}high")
    costs = {"CPU s": "seconds", "Forwards": "forwards", "Backwards": "backwards", "Failed": "failed"}
    return {**row, **{title: entrant[column] for title, column in costs.items()}}


def _end(name: str, end: str, columns: list[Record], scale: str, ends: bool) -> Record:
    """Row of what is stored with the task: raw values, or their place between random and ceiling."""
    row: Record = {"Submission": name}
    for metric in columns:
        row[_heading(metric)] = metric[end] if scale == RAW else metric[f"{end}_calibrated"]
        if ends and scale == RAW:
            row[f"{_heading(metric)} low"], row[f"{_heading(metric)} high"] = (
                metric[f"{end}_low"],
                metric[f"{end}_high"],
            )
    return row


def _heading(metric: Record) -> str:
    dull = metric["informative"] is False and metric["direction"] != "none"
    return f"{metric['metric']} {ARROWS[metric['direction']]}" + (" °" if dull else "")


def _configured(columns: list[Record], scale: str) -> Record:
    reading = " Here 0 is the random explainer and 1 the ceiling." if scale == CALIBRATED else ""
    found: Record = {f"Score {end}": st.column_config.NumberColumn(width=70, format="%.2f") for end in ("low", "high")}
    for metric in columns:
        heading = _heading(metric)
        found[heading] = st.column_config.NumberColumn(format="%.2f", help=explained(metric) + reading)
        found |= {f"{heading} {end}": st.column_config.NumberColumn(format="%.2f") for end in ("low", "high")}
    return found


def _footnotes(entrants: list[Record], columns: list[Record], found: Results, clusters: int) -> None:
    """What a reader must know of single rows and columns."""
    if any(entrant["rank"] is not None for entrant in entrants):
        st.caption(
            "A place is shared by those that are not parted into better and worse: all of a group are better than all "
            "of the next. Ranks and places follow from one sign-flip test of all pairs on clusters (max-T, p < .05)."
        )
    fewer = [f"{m['metric']} {m['clusters']}" for m in columns if m["clusters"] < clusters]
    if fewer:
        st.caption(f"Fewer clusters for {', '.join(fewer)}.")
    unranked = [f"{entrant['entrant']}: {entrant['note']}" for entrant in entrants if entrant["note"]]
    if unranked:
        st.caption(f"Without a rank: {'; '.join(unranked)}.")
    if any(metric["informative"] is False and metric["direction"] != "none" for metric in columns):
        st.caption("° Uninformative on this task: its audit cannot tell ceiling from random, so it enters no rank.")
    own = [
        f"{metric['metric']} is the definition of {entrant['entrant']}"
        for metric in columns
        for entrant in entrants
        if found.get((entrant["entrant"], metric["metric"]), {}).get("defines")
    ]
    if own:
        st.caption(f"{'; '.join(own)}: a metric never ranks what defines it.")
    flagged = [f"{entrant['entrant']} has the same values {entrant['flag']}" for entrant in entrants if entrant["flag"]]
    if flagged:
        st.caption(f"One method under two names? {'; '.join(flagged)}.")


def numbers(entrants: list[Record], measured: list[Record], found: Results) -> pd.DataFrame:
    """All numbers of a ranking, unrounded: a row each entrant, raw and calibrated means of every metric."""
    facts = ("submission_hash", "kind", "rank_group", "rank", "rank_low", "rank_high", "first")
    costs = ("items", "failed", "seconds", "forwards", "backwards")
    rows = []
    for entrant in entrants:
        row = {name: entrant[name] for name in ("entrant", *facts, "score", "score_low", "score_high", *costs)}
        for metric in measured:
            result = found.get((entrant["entrant"], metric["metric"]), {})
            for name in ("mean", "low", "high", "calibrated", "calibrated_low", "calibrated_high"):
                row[f"{metric['metric']} {name}"] = result.get(name)
        rows.append(row)
    whole = dict.fromkeys(("rank_group", "rank", "rank_low", "rank_high"), "Int64")
    return pd.DataFrame(rows).astype(whole)


def downloads(key: str, frame: pd.DataFrame) -> None:
    """The numbers as CSV and as Parquet."""
    parquet = io.BytesIO()
    frame.to_parquet(parquet, index=False)
    csv, other, _ = st.columns([1, 1, 4])
    csv.download_button(
        "CSV", frame.to_csv(index=False), f"{key}.csv", "text/csv", key="csv", on_click="ignore", width="stretch",
        help="Every number of this ranking, unrounded, each metric raw and calibrated with its interval",
    )  # fmt: skip
    other.download_button(
        "Parquet", parquet.getvalue(), f"{key}.parquet", "application/vnd.apache.parquet", key="parquet",
        on_click="ignore", width="stretch", help="The same, with types",
    )  # fmt: skip
