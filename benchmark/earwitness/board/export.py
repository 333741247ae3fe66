"""The ranking as one self-contained HTML file, for where no server runs."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from earwitness.board import origins
from earwitness.board.cells import decimal
from earwitness.board.export_cards import cards_part, pairs_part
from earwitness.board.gallery import STYLE as GALLERY
from earwitness.board.gallery import gallery
from earwitness.board.held_out import FLAG, flagged, held_out_of, reading, said
from earwitness.board.html_page import unseen, wide, write_html
from earwitness.board.life_lines import life_lines
from earwitness.board.lines import sentence_of
from earwitness.board.printing import across_of, entrants_of, metrics_of, tasks_of
from earwitness.board.store import connect, current, records

if TYPE_CHECKING:
    from pathlib import Path

    from duckdb import DuckDBPyConnection

Record = dict[str, Any]
DRAWN = unseen("Score, drawn")
"""Head of the column of bars."""


def export(path: Path, folder: Path) -> Path:
    """Write `index.html` with the ranking of every task into a folder and return it; sounds and pictures lie beside it.

    Raises EarwitnessError where there is no board or the folder cannot be written.
    """
    file = current(path)
    connection = connect(file)
    try:
        tasks = tasks_of(connection)
        parts = [_overview(connection, tasks), *(_task(connection, task, file.parent, folder) for task in tasks)]
        parts += [_across(track, rates) for track, rates in across_of(connection).items()]
        parts.append(_life(connection))
    finally:
        connection.close()
    body = "<h1>Earwitness</h1><p>Does the explanation say what the model actually heard?</p>" + "".join(parts)
    body += f"<p><small>Board {html.escape(file.stem)}</small></p>"
    return write_html(folder, "Earwitness", GALLERY, body)


def _overview(connection: DuckDBPyConnection, tasks: list[Record]) -> str:
    """What each task's ranking comes to, with a link to it."""
    lines = [
        f'<li><a href="#{html.escape(task["task_key"])}">{html.escape(task["task_key"])}</a>: '
        f"{html.escape(sentence_of(connection, task))}</li>"
        for task in tasks
    ]
    return f"<h2>Which one, and how sure?</h2><ul>{''.join(lines)}</ul>"


def _task(connection: DuckDBPyConnection, task: Record, board: Path, folder: Path) -> str:
    metrics = [metric for metric in metrics_of(connection, task) if metric["headline"]]
    head = [
        "Group",
        "Place, ranks",
        "Submission",
        "Score (0 random, 1 ceiling)",
        "",
        *(_title(metric) for metric in metrics),
    ]
    head += ["CPU s", "Forwards", "Failed"]
    ceiling = ["", "", "Ceiling", "", "", *(_value(metric, "ceiling", "ceiling_") for metric in metrics), "", "", ""]
    rows = [_row(ceiling, "control")]
    entrants = entrants_of(connection, task)
    span = _span(entrants)
    for entrant in entrants:
        cells = [
            "" if entrant["rank_group"] is None else str(entrant["rank_group"]),
            _rank(entrant),
            html.escape(origins.marked(entrant)),
            _value(entrant, "score", "score_"),
            _bar(entrant, span),
            *(_value(entrant["results"].get(metric["metric"], {}), "mean", "") for metric in metrics),
            origins.cost(entrant, "seconds", 2),
            origins.cost(entrant, "forwards", 0),
            str(entrant["failed"]),
        ]
        rows.append(_row(cells, entrant["kind"]))
    title = f"<h2 id='{html.escape(task['task_key'])}'>{html.escape(task['title'])}</h2>"
    facts = f"<p><code>{html.escape(task['task_key'])}</code>, "
    facts += f"{task['items']} items, {task['clusters']} clusters, {task['rows']} rows. {html.escape(task['note'])}</p>"
    facts = f"<p class='says'>{html.escape(sentence_of(connection, task))}</p>" + facts
    facts += "".join(f"<p>{html.escape(note)}</p>" for note in origins.notes(entrants, entrants))
    heads = "".join(f'<th scope="col">{html.escape(name) or DRAWN}</th>' for name in head)
    table = wide(f"<table><tr>{heads}</tr>{''.join(rows)}</table>", f"Ranking of {task['task_key']}")
    best = next((entrant["entrant"] for entrant in entrants), "")
    told = pairs_part(connection, task, entrants) + cards_part(connection, task)
    return title + facts + table + told + _held_out(connection, task) + gallery(connection, task, best, board, folder)


def _held_out(connection: DuckDBPyConnection, task: Record) -> str:
    """Entrants on public and on held-out items; nothing where none ran these."""
    found = held_out_of(connection, task)
    if not found:
        return ""
    head = ["Submission", "Metric", "Score", "Held out", "Gain", "Held out", "Difference", "Verdict"]
    rows = [
        _row(
            [
                html.escape(record["entrant"] + (f" {FLAG}" if flagged(found, record["entrant"]) else "")),
                html.escape(record["metric"]),
                _value(record, "score", "score_"),
                _value(record, "held_out_score", "held_out_score_"),
                *(_value(record, name, f"{name}_") for name in ("gain", "held_out_gain")),
                _value(record, "difference", ""),
                html.escape(said(record)),
            ],
            "",
        )
        for record in found
    ]
    heads = "".join(f"<th>{html.escape(name)}</th>" for name in head)
    table = wide(f"<table><tr>{heads}</tr>{''.join(rows)}</table>", f"Held-out items of {task['task_key']}")
    return f"<h3>Held-out items</h3>{table}<p><small>{html.escape(reading(found))}</small></p>"


def _across(track: str, rates: list[Record]) -> str:
    """Win rates over the tasks of a track, or over all; who covers fewer tasks is dim."""
    where = f"the track {track}" if track else "all tracks"
    rows = [
        _row(
            [html.escape(rate["submission"]), _value(rate, "win_rate", ""), f"{rate['tasks']} of {rate['most']}"],
            "" if rate["tasks"] == rates[0]["tasks"] else "control",
        )
        for rate in rates
    ]
    head = "<tr><th>Submission</th><th>Win rate</th><th>Tasks</th></tr>"
    return (
        f"<h2>Across {rates[0]['most']} tasks of {html.escape(where)}</h2><p>Win rate: share of the other ranked "
        "submissions of a task that the score beats, mean over tasks; who covers fewer tasks stands apart.</p>"
        + wide(f"<table>{head}{''.join(rows)}</table>", f"Win rates over {where}")
    )


def _life(connection: DuckDBPyConnection) -> str:
    """Notices, the last changes, tries and licences, and how entrants are cited."""
    lines = "".join(f"<li>{html.escape(line)}</li>" for line in life_lines(connection))
    query = "SELECT DISTINCT citation FROM submissions WHERE citation <> '' ORDER BY citation"
    cited = "".join(f"<pre>{html.escape(record['citation'])}</pre>" for record in records(connection, query))
    return (
        f"<h2>Notices, changes and licences</h2><ul>{lines}</ul>"
        f"<details><summary>Citations</summary>{wide(cited, 'Citations')}</details>"
    )


def _title(metric: Record) -> str:
    arrow = {"higher": " ↑", "lower": " ↓"}.get(metric["direction"], "")
    return f"{metric['metric']}{arrow}" + (" (uninformative)" if metric["informative"] is False else "")


def _row(cells: list[str], kind: str) -> str:
    return f'<tr class="{kind}">' + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _rank(entrant: Record) -> str:
    if entrant["rank"] is None:
        return f"<small>{html.escape(entrant['note'])}</small>"
    low, high = entrant["rank_low"], entrant["rank_high"]
    return str(entrant["rank"]) + ("" if low == high else f" <small>{low}–{high}</small>")


def _value(record: Record, name: str, prefix: str) -> str:
    value, low, high = (record.get(key) for key in (name, f"{prefix}low", f"{prefix}high"))
    if value is None:
        return "–"
    return decimal(value) + (
        "" if low is None or high is None else f" <small>[{decimal(low)}, {decimal(high)}]</small>"
    )


def _span(entrants: list[Record]) -> tuple[float, float]:
    """Ends of the scale that all scores of a task and their intervals lie on: 0 and 1 at least."""
    ends = [entrant[name] for entrant in entrants for name in ("score", "score_low", "score_high")]
    known = [end for end in ends if end is not None]
    return min([0.0, *known]), max([1.0, *known])


def _bar(entrant: Record, span: tuple[float, float]) -> str:
    """Score and interval on a scale that all of them lie on, with a line at 0, which is random."""
    value, low, high = entrant["score"], entrant["score_low"], entrant["score_high"]
    if value is None or low is None:
        return ""
    zero, at, start, end = (4 + 100 * (x - span[0]) / (span[1] - span[0]) for x in (0.0, value, low, high))
    return (
        f'<svg width="108" height="14" role="img" aria-label="{decimal(value)}">'
        f'<rect x="{min(zero, at):.1f}" y="3" width="{abs(at - zero):.1f}" height="8" fill="var(--bar)"/>'
        f'<line x1="{zero:.1f}" x2="{zero:.1f}" y1="0" y2="14" stroke="var(--line)"/>'
        f'<line x1="{start:.1f}" x2="{end:.1f}" y1="7" y2="7" stroke="var(--ink)" stroke-width="2"/>'
        f'<circle cx="{at:.1f}" cy="7" r="3" fill="var(--ink)"/></svg>'
    )
