"""Budget curves as a table for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from earwitness.board.cells import value
from earwitness.board.store import records

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from rich.console import Console

Record = dict[str, Any]
COLUMNS = ("budget", "passes", "CPU s")


def curves_of(connection: DuckDBPyConnection, task: Record) -> list[Record]:
    """Score, and main metric where there are several budgets, against cost: all entrants, and their other budgets."""
    query = """
        SELECT budgets.*, mean, low, high
        FROM budgets LEFT JOIN curve_results AS main ON budgets.task_key = main.task_key AND main.metric = ?
            AND budgets.entrant = main.entrant AND budgets.budget = main.budget AND budgets.own = main.own
        WHERE budgets.task_key = ? ORDER BY budgets.entrant, budgets.budget, passes
    """
    return records(connection, query, task["main_metric"], task["task_key"])


def print_curves(connection: DuckDBPyConnection, task: Record, console: Console) -> None:
    """Print the entrants that have several budgets; nothing where none has."""
    points = curves_of(connection, task)
    several = {point["entrant"] for point in points if not point["own"]}
    if not several:
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=0, title="Budgets", title_justify="left")
    table.add_column("submission", no_wrap=True)
    scored = any(point["score"] is not None for point in points)
    names = ("score", "score", "score_") if scored else (task["main_metric"], "mean", "")
    for column in (*COLUMNS, names[0], "like the largest"):
        table.add_column(column, justify="right", no_wrap=True)
    before = ""
    for point in points:
        if point["entrant"] in several:
            if before and before != point["entrant"]:
                table.add_section()
            table.add_row(*_cells(point, names, point["entrant"] != before), style="bold" if point["own"] else "")
            before = point["entrant"]
    console.print(table)
    leaders = [_named(point) for point in sorted(points, key=lambda point: point["passes"] or 0) if point["front"]]
    best = f" Pareto front of the scores as they were measured, no verdict: {', '.join(leaders)}." if leaders else ""
    console.print(
        Text(
            "Bold: the submission's own budget; the others are not ranked. Passes: forward, a backward counts two, an "
            "explanation. Like the largest: Spearman's correlation of a map with that at the largest budget." + best,
            style="dim",
        )
    )


def _cells(point: Record, names: tuple[str, str, str], first: bool) -> list[str]:
    budget = "" if point["budget"] is None else f"{point['budget']:,} {point['parameter']}"
    return [
        point["entrant"] if first else "",
        budget,
        f"{point['passes']:,.0f}",
        f"{point['seconds']:.2f}",
        point["note"] if point[names[1]] is None and point["note"] else value(point, *names[1:]),
        "" if point["convergence"] is None else f"{point['convergence']:.2f}",
    ]


def _named(point: Record) -> str:
    return str(point["entrant"] if point["own"] else point["submission"])
