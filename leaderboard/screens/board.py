"""All tracks and tasks at a glance: a sentence a task, its leaders and what they cost, and scores across tasks."""

from __future__ import annotations

import pandas as pd
import streamlit as st
from filters import ALL, filtered
from reading import Record, landing, query, traits
from state import pick
from win_rates import across
from wording import inert, plural, rank_interval, unsigned, with_interval

NUMBERS = {
    "Leader's score": st.column_config.NumberColumn(
        format="%.2f", help="0 is the random explainer, 1 the best explanation that search finds on the task"
    ),
    "Score low": st.column_config.NumberColumn(format="%.2f", help="Lower end of the score's interval"),
    "Score high": st.column_config.NumberColumn(format="%.2f", help="Upper end of the score's interval"),
    "CPU s": st.column_config.NumberColumn(format="%.3f", help="Median CPU seconds of an explanation by the cheapest"),
    "Not told apart": st.column_config.ListColumn(help="Whom these items do not tell apart from the leader"),
}  # fmt: skip

SCORE, INTERVAL, PLACE, CPU = "score", "interval", "group and ranks", "CPU seconds"
READING = {
    SCORE: "0 is the random explainer, 1 the ceiling of the task; empty where a submission has no score.",
    INTERVAL: "The score with its 95 % interval over items: 0 is the random explainer, 1 the ceiling of the task.",
    PLACE: "All of a group are better than all of the next group of that task; the ranks are those not ruled out.",
    CPU: "Median CPU seconds of an explanation; empty where nobody here saw it made.",
}
FORMATS = {SCORE: "%.2f", CPU: "%.3f"}
COVERAGE = "On how many of these tasks it has what is shown"


def says(found: list[Record]) -> None:
    """A sentence a task, each with a way to its ranking."""
    for record in found:
        with st.container(border=True):
            st.markdown(f"**{inert(record['title'])}**  \n{inert(record['sentence'])}")
            st.page_link(
                "screens/ranking.py",
                label=f"{record['task_key']}: {plural(record['entrants'], 'submission')}, "
                f"{plural(record['items'], 'item')} →",
                query_params={"task": record["task_key"]},
            )


def table(found: list[Record]) -> None:
    rows = [
        {
            "Task": record["task_key"],
            "Leader": record["leader"],
            "Leader's score": record["score"],
            "Score low": unsigned(record["score_low"]),
            "Score high": record["score_high"],
            "Cheapest of them": record["cheapest"],
            "CPU s": record["cheapest_seconds"],
            "Track": record["track"],
            "Submissions": record["entrants"],
            "Items": record["items"],
            "Not told apart": record["rivals"],
        }
        for record in found
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, height="content", column_config=NUMBERS, placeholder="–")


def shown_as(record: Record, what: str) -> float | str | None:
    """What a cell of the table across tasks holds."""
    if what == SCORE:
        return unsigned(record["score"])
    if what == CPU:
        seconds: float | None = record["seconds"]
        return seconds
    if what == INTERVAL:
        return None if record["score"] is None else with_interval(record, "score", "score_")
    return None if record["rank"] is None else f"group {record['rank_group']}, rank {rank_interval(record)}"


@st.fragment
def scores(found: list[Record], shown: list[Record]) -> None:
    """Each submission on each task: its score, the interval, the group with the ranks, or what it costs."""
    keys = [record["task_key"] for record in found]
    st.header("Scores on each task")
    what = st.segmented_control(
        "Shown of each", list(READING), default=SCORE, key="cells", bind="query-params", required=True
    ) or SCORE  # fmt: skip
    by_name: dict[str, dict[str, object]] = {}
    for record in shown:
        if record["task_key"] in keys:
            row = by_name.setdefault(record["entrant"], {"Submission": record["entrant"], "Kind": record["kind"]})
            row[record["task_key"]] = shown_as(record, what)
    frame = pd.DataFrame(list(by_name.values()), columns=["Submission", "Kind", *keys])
    ranked = frame[keys].notna().sum(axis=1)
    frame.insert(2, "Tasks", ranked)
    config: Record = {"Tasks": st.column_config.NumberColumn(format=f"%d of {len(keys)}", help=COVERAGE)}
    if what in FORMATS:
        help = f"{what.capitalize()} on "
        config |= {key: st.column_config.NumberColumn(format=FORMATS[what], help=f"{help}{key}") for key in keys}
    st.caption(READING[what])
    st.dataframe(frame, hide_index=True, height="content", column_config=config, placeholder="–")


def show() -> None:
    found = landing()
    st.title("Which explanation, and how sure?")
    counts = query(
        "SELECT count(DISTINCT submission) AS submissions, (SELECT count(*) FROM rows) AS rows FROM submissions"
    )
    st.caption(
        f"{plural(len(found), 'task')} · {plural(counts[0]['submissions'], 'submission')} · "
        f"{plural(counts[0]['rows'], 'row')}"
    )
    tracks = sorted({record["track"] for record in found if record["track"]})
    if len(tracks) > 1:
        box, _ = st.columns([1, 3])
        with box:
            track = pick("Track", [ALL, *tracks], "track", ALL)
        found = [record for record in found if track in (ALL, record["track"])]
    says(found)
    table(found)
    shown = filtered([record for record in traits() if record["task_key"] in {r["task_key"] for r in found}])
    if not shown:
        st.info("No submission is of all that is asked for.")
        return
    scores(found, shown)
    across(found, {record["submission"] for record in shown})


show()
