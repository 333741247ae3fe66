"""The ranking as tables for a terminal of 120 columns, and as records for scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from earwitness.board import lines, origins
from earwitness.board.cells import short, value
from earwitness.board.curve_printing import print_curves
from earwitness.board.held_out import print_held_out
from earwitness.board.life_lines import life_lines
from earwitness.board.origins import chosen
from earwitness.board.schema import MARKS
from earwitness.board.store import connect, records
from earwitness.metrics import name_of, values_of

if TYPE_CHECKING:
    from pathlib import Path

    from duckdb import DuckDBPyConnection
    from rich.console import Console

Record = dict[str, Any]
OTHERS, LINE = 6, 8
"""How many metrics beside the headline's the second table has room for, and letters in a line of their names."""


def ranking_records(path: Path, only: str = "") -> list[Record]:
    """The ranking of every task, best first: rank, score and cost of each entrant with all its results, and under
    `sentence` what the task's ranking comes to.

    `only` names an origin (`origins.SHOWN`); others are left out.
    """
    connection = connect(path)
    try:
        return [record for task in tasks_of(connection) for record in chosen(entrants_of(connection, task), only)]
    finally:
        connection.close()


def print_ranking(path: Path, console: Console, only: str = "") -> None:
    """Print the ranking of every task on the board, with the task's ceiling and floor; of an origin where one is named
    in `only`."""
    connection = connect(path)
    try:
        for task in tasks_of(connection):
            _print_task(connection, task, console, only)
        for table in _across(connection):
            console.print(table)
        for line in life_lines(connection):
            console.print(Text(line, style="dim"))
    finally:
        connection.close()


def tasks_of(connection: DuckDBPyConnection) -> list[Record]:
    """Records of all tasks on the board."""
    return records(connection, "SELECT * FROM tasks ORDER BY task_key")


def metrics_of(connection: DuckDBPyConnection, task: Record) -> list[Record]:
    """Records of a task's metrics, in the card's order."""
    return records(connection, "SELECT * FROM metrics WHERE task_key = ? ORDER BY position", task["task_key"])


def entrants_of(connection: DuckDBPyConnection, task: Record) -> list[Record]:
    """Records of a task's entrants, best first, each with its results by metric."""
    key = task["task_key"]
    query = """
        SELECT ranks.*, submissions.submission_hash, submissions.kind, submissions.made_elsewhere,
            submissions.licence, tasks.task_hash, versions.tries, versions.tries_in_month, sentences.sentence
        FROM ranks JOIN submissions USING (task_key, entrant) JOIN tasks USING (task_key)
        JOIN sentences USING (task_key)
        LEFT JOIN versions USING (task, submission, submission_hash)
        WHERE task_key = ?
    """
    entrants = records(connection, query, key)
    results: dict[str, dict[str, Record]] = {}
    for result in records(connection, "SELECT * EXCLUDE (task_key) FROM results WHERE task_key = ?", key):
        results.setdefault(result.pop("entrant"), {})[result.pop("metric")] = result
    for entrant in entrants:
        entrant["results"] = results.get(entrant["entrant"], {})
    return sorted(entrants, key=lambda entrant: _order(entrant, task["main_metric"]))


def _order(entrant: Record, main: str) -> tuple[float, float, float, str]:
    """By score, or by the main metric where nobody has one; who stands apart comes last."""
    if entrant["score"] is not None:
        return (0, bool(entrant["note"]), -entrant["score"], entrant["entrant"])
    result = entrant["results"].get(main)
    mean = result["mean"] if result and result["mean"] is not None else None
    sign = -1 if result and result["direction"] == "higher" else 1
    return (1, bool(entrant["note"]), float("inf") if mean is None else sign * mean, entrant["entrant"])


def _others(metrics: list[Record]) -> list[Record]:
    """As many metrics as the second table has room for, in the card's order; a metric's first parameters go before its
    others."""
    first = {metric["name"]: metric["metric"] for metric in reversed(metrics)}
    ordered = sorted(metrics, key=lambda metric: first[metric["name"]] != metric["metric"])
    return sorted(ordered[:OTHERS], key=lambda metric: int(metric["position"]))


def _print_task(connection: DuckDBPyConnection, task: Record, console: Console, only: str) -> None:
    metrics, entrants = metrics_of(connection, task), entrants_of(connection, task)
    shown = chosen(entrants, only)
    headline = [metric for metric in metrics if metric["headline"]][:4]
    names = {metric["name"] for metric in headline}
    measured = {id for entrant in entrants for id, result in entrant["results"].items() if result["mean"] is not None}
    others = _others(
        [m for m in metrics if m["name"] not in names and m["direction"] != "none" and m["metric"] in measured]
    )
    console.print(_headline_table(task, headline, shown))
    console.print(_other_table(task, others, shown))
    console.print(Text(lines.sentence_of(connection, task)))
    for note in [*_notes(task, headline + others, entrants), *origins.notes(entrants, shown)]:
        console.print(Text(note, style="dim"))
    for line in (
        *lines.made_of(metrics),
        *lines.without(connection, task),
        *lines.survival(connection, task),
        *lines.against(connection, task, headline, entrants),
    ):
        console.print(line)
    print_curves(connection, task, console)
    print_held_out(connection, task, console)
    console.print()


def _headline_table(task: Record, metrics: list[Record], entrants: list[Record]) -> Table:
    table = _table(title=f"{task['task_key']}: {task['title']}\nmodel: {task['model']}")
    table.add_column("place", min_width=9)
    for name in ("submission", "score"):
        table.add_column(name, no_wrap=True)
    for metric in metrics:
        table.add_column(_title(metric), no_wrap=True)
    table.add_row("", Text("CEILING", style="bold"), "", *(value(m, "ceiling", "ceiling_") for m in metrics))
    group = None
    for entrant in entrants:
        if group is None or entrant["rank_group"] != group:
            table.add_section()
        group = entrant["rank_group"] or 0
        cells = [_marked(value(result, "mean", ""), result) for result in (_of(entrant, m) for m in metrics)]
        score = value(entrant, "score", "score_")
        table.add_row(_place(entrant), _name(entrant, task), score, *cells, style=_style(entrant))
    for kind, title in MARKS.items():
        if any(metric[kind] is not None for metric in metrics):
            table.add_section()
            table.add_row("", Text(title.upper(), style="bold"), "", *(value(m, kind, f"{kind}_") for m in metrics))
    return table


def _of(entrant: Record, metric: Record) -> Record:
    """What an entrant has of a metric."""
    found: Record = entrant["results"].get(metric["metric"], {})
    return found


def _marked(text: str, result: Record) -> str:
    """A mean, marked where the entrant defines the metric."""
    return text + (" †" if result.get("defines") else "")


def _table(title: str | None = None) -> Table:
    return Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False, padding=0)


def _other_table(task: Record, metrics: list[Record], entrants: list[Record]) -> Table:
    table = _table()
    table.add_column("submission", no_wrap=True)
    for metric in metrics:
        table.add_column(_title(metric), justify="right")
    for title in ("first", "CPU s", "forwards", "failed"):
        table.add_column(title, justify="right")
    table.add_row(Text("CEILING", style="bold"), *(short(m["ceiling"]) for m in metrics), "", "", "", "")
    table.add_section()
    for entrant in entrants:
        failed = entrant["failed"]
        table.add_row(
            _name(entrant, task),
            *(_marked(short(result.get("mean")), result) for result in (_of(entrant, m) for m in metrics)),
            "" if entrant["first"] is None else short(entrant["first"]),
            origins.cost(entrant, "seconds", 2),
            origins.cost(entrant, "forwards", 0),
            Text(str(failed), style="bold red") if failed else "0",
            style=_style(entrant),
        )
    return table


def _notes(task: Record, metrics: list[Record], entrants: list[Record]) -> list[str]:
    share = round(100 * task["level"])
    clusters = f"{task['clusters']} clusters" + (f" ({task['ways']})" if task["ways"] else "")
    fewer = [
        f"{metric['metric']} {metric['clusters']}"
        for metric in metrics
        if metric["headline"] and metric["clusters"] < task["clusters"]
    ]
    scored = any(entrant["score"] is not None for entrant in entrants)
    notes = [
        f"{task['items']} items, {task['rows']} rows; {share} % intervals over {clusters}"
        + (f", fewer for {', '.join(fewer)}" if fewer else "")
        + "; + higher is more faithful, - lower is."
        + (" Score: mean calibrated headline metric, 0 the random explainer, 1 the ceiling." if scored else ""),
    ]
    if any(entrant["results"].get(m["metric"], {}).get("defines") for entrant in entrants for m in metrics):
        notes.append("† The metric's own definition, which it never ranks.")
    if any(entrant["rank"] is not None for entrant in entrants) and len(entrants) > 1:
        notes.append(
            "Place: shared by those that are not parted into better and worse; in brackets the ranks that are not "
            "ruled out, by one sign-flip test of all pairs on clusters (max-T, p < .05). First: probability of being "
            "first, by bootstrap."
        )
    dull = [metric["metric"] for metric in metrics if metric["informative"] is False]
    if dull:
        notes.append(
            f"Uninformative here (° the task's audit cannot tell ceiling from random; not ranked): {', '.join(dull)}."
        )
    if any(entrant["failed"] for entrant in entrants) and task["floor"]:
        notes.append("Failed items count as the random explainer's.")
    return [*notes, task["note"]] if task["note"] else notes


def _title(metric: Record) -> Text:
    sign = {"higher": " +", "lower": " -"}.get(metric["direction"], "")
    mark = " °" if metric["informative"] is False else ""
    parameters = "+".join(values_of(metric["metric"]))
    return Text(_wrapped(name_of(metric["metric"])) + sign + mark + (f"\n{parameters}" if parameters else ""))


def _wrapped(name: str) -> str:
    """A metric's name in lines of about eight letters, broken after underscores.

    >>> _wrapped("shapley_spearman"), _wrapped("kl_cf")
    ('shapley_\\nspearman', 'kl_cf')
    """
    lines = [""]
    for part in name.replace("_", "_ ").split(" "):
        if lines[-1] and len(lines[-1]) + len(part) > LINE:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def across_of(connection: DuckDBPyConnection) -> dict[str, list[Record]]:
    """Win rates by track, and over all under an empty name: those of at least two tasks."""
    found: dict[str, list[Record]] = {}
    for record in records(connection, "SELECT * FROM across"):
        if record["most"] > 1:
            found.setdefault(record["track"], []).append(record)
    return found


def _across(connection: DuckDBPyConnection) -> list[Table | Text]:
    """Tables of win rates, with a line on what they are."""
    tables: list[Table | Text] = []
    for track, rates in across_of(connection).items():
        where = f"the track {track}" if track else "all tracks"
        table = _table(title=f"Across {rates[0]['most']} tasks of {where}")
        for name in ("submission", "win rate", "tasks"):
            table.add_column(name, no_wrap=True)
        covered = rates[0]["tasks"]
        for rate in rates:
            if rate["tasks"] != covered:
                table.add_section()
            covered = rate["tasks"]
            table.add_row(rate["submission"], value(rate, "win_rate", ""), f"{covered} of {rate['most']}")
        tables.append(table)
    if tables:
        tables.append(
            Text(
                "Win rate: share of the other ranked submissions of a task that the score beats, ties by half, mean "
                "over tasks; intervals over tasks and items. Who covers fewer tasks met others, and stands apart.",
                style="dim",
            )
        )
    return tables


def _name(entrant: Record, task: Record) -> Text:
    floor = " (floor)" if entrant["entrant"] == task["floor"] else ""
    return Text(origins.marked(entrant) + floor)


def _style(entrant: Record) -> str:
    return "dim" if entrant["kind"] == "control" else ""


def _place(entrant: Record) -> str:
    """The place that its group shares, with the ranks that are not ruled out; why there is none."""
    if entrant["rank"] is None:
        return "apart" if entrant["score"] is not None and entrant["note"] else str(entrant["note"])
    low, high = entrant["rank_low"], entrant["rank_high"]
    return f"{entrant['rank']:2d}" + ("" if low == high else f" ({low}-{high})")
