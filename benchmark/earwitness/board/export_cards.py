"""Parts of the exported page on submissions: every two of them by the score, and a card of each."""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING, Any

from earwitness.board.cells import in_words
from earwitness.board.html_page import wide
from earwitness.board.matrix import SCORE
from earwitness.board.pair_sentences import pair_sentence
from earwitness.board.store import records
from earwitness.stats.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duckdb import DuckDBPyConnection

Record = dict[str, Any]
SIGNS = {str(Verdict.BETTER): "▲", str(Verdict.WORSE): "▼", str(Verdict.EQUIVALENT): "="}
READING = (
    "▲ the submission of the row is better than that of the column, ▼ it is worse, = they are equivalent, · they are "
    "not told apart."
)


def pairs_part(connection: DuckDBPyConnection, task: Record, entrants: Sequence[Record]) -> str:
    """A table of the verdicts on every two entrants by the score, each cell with its sentence; empty of fewer."""
    query = "SELECT * FROM pairs WHERE task_key = ? AND metric = ?"
    found = {(row["entrant"], row["against"]): row for row in records(connection, query, task["task_key"], SCORE)}
    names = [entrant["entrant"] for entrant in entrants if any(entrant["entrant"] in pair for pair in found)]
    if len(names) < 2:
        return ""
    by = "the score" if task["ranked_by"] == "calibrated" else task["main_metric"]
    head = "".join(f'<th scope="col">{number}</th>' for number in range(1, len(names) + 1))
    rows = []
    for number, one in enumerate(names, 1):
        cells = "".join(_pair(found.get((one, other)), by) for other in names)
        rows.append(f'<tr><th scope="row">{number} {html.escape(one)}</th>{cells}</tr>')
    told = [pair_sentence(found[names[0], other], by) for other in names[1:] if (names[0], other) in found]
    sentences = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in told)
    table = wide(f"<table><tr><td></td>{head}</tr>{''.join(rows)}</table>", f"Verdicts on {task['task_key']}")
    return (
        f"<details><summary>Everybody against everybody</summary><p><small>{READING}</small></p>{table}"
        f"<p>{html.escape(names[0])} against each:</p><ul>{sentences}</ul></details>"
    )


def _pair(row: Record | None, by: str) -> str:
    if row is None:
        return "<td></td>"
    return f'<td title="{html.escape(pair_sentence(row, by))}">{SIGNS.get(row["verdict"], "·")}</td>'


def cards_part(connection: DuckDBPyConnection, task: Record) -> str:
    """Each submission of a task: what its card says, what speaks against it, and the command that makes it again."""
    key = task["task_key"]
    found = records(connection, "SELECT * FROM submissions WHERE task_key = ? ORDER BY entrant", key)
    flags = records(
        connection, "SELECT entrant, flag FROM sanity WHERE task_key = ? AND flag <> '' ORDER BY position", key
    )
    commands = records(
        connection, "SELECT DISTINCT entrant, command FROM runs WHERE task_key = ? AND command <> ''", key
    )
    cards = [
        _card(
            record,
            [row["flag"] for row in flags if row["entrant"] == record["entrant"]],
            sorted(row["command"] for row in commands if row["entrant"] == record["entrant"]),
        )
        for record in found
    ]
    return f"<details><summary>The {len(cards)} submissions</summary>{''.join(cards)}</details>" if cards else ""


def _card(record: Record, flags: Sequence[str], commands: Sequence[str]) -> str:
    card = json.loads(record["card"]) if record["card"] else {}
    facts = {"Kind": record["kind"], "Access to the model": record["access"]}
    facts |= {"Hash": record["submission_hash"], "Licence": record["licence"]}
    facts["Authors"] = ", ".join(card.get("authors") or ())
    paper = card.get("paper") or {}
    facts["Paper"] = " ".join(str(paper[name]) for name in ("title", "url") if paper.get(name))
    for track, explainer in (card.get("explainers") or {}).items():
        parameters = in_words(explainer["parameters"])
        facts[f"For {track}"] = f"{explainer['explainer']}, parameters {parameters}"
    rows = "".join(
        f'<tr><th scope="row">{html.escape(name)}</th><td>{html.escape(said)}</td></tr>'
        for name, said in facts.items()
        if said
    )
    against = "".join(f"<p>{html.escape(flag)}</p>" for flag in flags)
    code = html.escape(chr(10).join(commands))
    again = wide(f"<pre>{code}</pre>", f"Commands of {record['entrant']}") if commands else ""
    name = f"{record['entrant']}: {record['title']}"
    return f"<h3>{html.escape(name)}</h3>{against}{wide(f'<table>{rows}</table>', name)}{again}"
