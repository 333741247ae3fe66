"""One submission: its card, its page, and what it reached on every task."""

from __future__ import annotations

import pandas as pd
import streamlit as st
from life import citation, of_entrant, tries
from reading import Record, parsed, query, task
from state import pick
from wording import as_section, inert, number, plain, plural, rank_interval

from earwitness.board.cells import in_words
from earwitness.submission_card import ANONYMOUS


def facts(record: Record, card: Record) -> None:
    st.title(inert(record["title"]))
    st.caption(f"`{record['submission']}` · {record['kind']} · hash {record['submission_hash']}")
    of_entrant(record, task())
    if not card:
        return
    paper = card["paper"] or {}
    rows = {"Authors": ", ".join(card["authors"]), "Licence": record["licence"]}
    if card["authors"] == [ANONYMOUS]:
        rows["Authors"] += f" until {card['anonymous_until']}"
    if record["access"]:
        rows["Access to the model"] = record["access"]
    if counted := tries(record, task()):
        rows["Tries"] = counted
    if record["made_elsewhere"]:
        rows["Explanations"] = "made elsewhere: no code was run here, and their cost is unverified"
        rows["Method"] = f"`{card['method']}`" if card.get("method") else "not named"
    if paper:
        rows["Paper"] = f"[{paper['title']}]({paper['url']})" if paper["url"] else paper["title"]
    for track, explainer in card["explainers"].items():
        rows[f"Class for {track}"] = f"`{explainer['explainer']}` in {explainer['file']}"
        for name, value in explainer["parameters"].items():
            rows[f"Parameter {name} for {track}"] = plain(in_words(value))
    st.table(pd.DataFrame({"": rows.values()}, index=list(rows)), border="horizontal", hide_header=True)
    citation(record)
    if paper.get("reported"):
        st.markdown("**Reported in the paper, not reproduced**")
        st.table(pd.DataFrame({"reported": paper["reported"]}), border="horizontal")


def placings(record: Record) -> None:
    """Rank and score on every task."""
    sql = """
        SELECT ranks.* FROM ranks JOIN submissions USING (task_key, entrant)
        WHERE submission = ? AND submission_hash = ? ORDER BY task_key
    """
    found = query(sql, record["submission"], record["submission_hash"])
    st.header("Results")
    rows = [
        {
            "Task": row["task_key"],
            "Place": row["rank"],
            "Ranks": row["note"] or rank_interval(row),
            "Score": row["score"],
            "Score low": row["score_low"],
            "Score high": row["score_high"],
            "CPU s": row["seconds"],
            "Forwards": row["forwards"],
            "Backwards": row["backwards"],
            "Items": row["items"],
            "Failed": row["failed"],
        }
        for row in found
    ]
    formats = dict.fromkeys(("Score", "Score low", "Score high"), "%.2f") | {"CPU s": "%.3f"}
    numbers = {name: st.column_config.NumberColumn(format=format) for name, format in formats.items()}
    st.dataframe(pd.DataFrame(rows), hide_index=True, column_config=numbers, placeholder="–")


def reproduce(entrant: str) -> None:
    """The command that makes its rows on the task again, and the one that compares them with those that are here."""
    found = query(
        "SELECT command, folder, recipe FROM runs WHERE task_key = ? AND entrant = ? AND command <> '' ORDER BY run",
        st.session_state["task"],
        entrant,
    )
    if not found:
        return
    st.header("Make it again")
    commits = {str((parsed(row["recipe"]).get("git") or {}).get("commit") or "")[:10] for row in found} - {""}
    at = f", at commit {', '.join(sorted(commits))}" if commits else ""
    st.caption(f"Explains and scores as here{at}; the same seeds give the same rows on the same kind of machine.")
    st.code("\n".join(dict.fromkeys(row["command"] for row in found)), language="shell", wrap_lines=True)


def sanity(entrant: str) -> None:
    """What became of its explanations when the model or the input was spoiled; what speaks against them first."""
    found = query(
        "SELECT * FROM sanity WHERE task_key = ? AND entrant = ? ORDER BY position", st.session_state["task"], entrant
    )
    if not found:
        return
    st.header("Sanity")
    for row in found:
        if row["flag"]:
            st.warning(plain(row["flag"]))
    rows = [
        {
            "When": row["check"],
            "Agreement": number(row["agreement"]),
            "With itself": number(row["itself"]),
            "Brought back": number(row["back"]),
            "p": number(row["p"], 3),
            "Entropy": number(row["entropy"]),
            "Gini": number(row["gini"]),
            "Items": row["items"],
            "": row["skipped"],
        }
        for row in found
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, height="content")
    st.caption(
        "Agreement: Spearman's correlation with the explanations of the trained model, item by item, for the first "
        f"{plural(max(row['items'] for row in found), 'item')}. With itself: under another explainer seed. p: of a "
        "one-sided sign-flip test that the agreement falls by more than .05. Brought back: with the moved parts at "
        "their places again. Entropy: 1 where an explanation is spread evenly; it rises where what was learnt is gone "
        "and the explanation was of that. Gini: 0 where it is spread evenly."
    )


def show() -> None:
    found = query("SELECT * FROM submissions WHERE task_key = ? ORDER BY entrant", st.session_state["task"])
    by_name = {row["entrant"]: row for row in found}
    chosen = pick("Submission", list(by_name), "entrant", next(iter(by_name)))
    record = by_name[chosen]
    facts(record, parsed(record["card"]) or {})
    placings(record)
    reproduce(chosen)
    sanity(chosen)
    if record["readme"]:
        st.divider()
        st.markdown(as_section(record["readme"]))


show()
