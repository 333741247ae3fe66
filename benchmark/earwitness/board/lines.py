"""Lines under the printed tables: what a ranking comes to, what makes the score, what a change does to places, and who
beats a control."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

from earwitness.board.cells import short, value
from earwitness.board.store import records
from earwitness.stats.verdicts import Verdict

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Record = dict[str, Any]


def sentence_of(connection: DuckDBPyConnection, task: Record) -> str:
    """What a task's ranking comes to."""
    (found,) = records(connection, "SELECT sentence FROM sentences WHERE task_key = ?", task["task_key"])
    return str(found["sentence"])


def made_of(metrics: list[Record]) -> list[Text]:
    """What carries the score: each metric's share of its variance between entrants, with its weight where they
    differ."""
    parts = [metric for metric in metrics if metric["share"] is not None]
    if len(parts) < 2:
        return []
    alike = len({round(metric["weight"], 6) for metric in parts}) == 1
    weights = [f" (weight {short(metric['weight'])})" if not alike else "" for metric in parts]
    shares = [f"{m['metric']} {100 * m['share']:.0f} %{weight}" for m, weight in zip(parts, weights, strict=True)]
    return [Text(f"Of the score's variance between entrants: {', '.join(shares)}")]


def without(connection: DuckDBPyConnection, task: Record) -> list[Text]:
    """Whether places survive without each metric of the score."""
    query = """
        SELECT metric, any_value(tau) AS tau, count(*) AS entrants, count(*) FILTER (rank = rank_before) AS same
        FROM exclusions JOIN metrics USING (task_key, metric) WHERE task_key = ?
        GROUP BY metric ORDER BY any_value(position)
    """
    return [
        Text(f"Without {r['metric']}: Kendall's tau {short(r['tau'])}, {r['same']} of {r['entrants']} places as before")
        for r in records(connection, query, task["task_key"])
    ]


def survival(connection: DuckDBPyConnection, task: Record) -> list[Text]:
    """Whether places survive under another judge, operator or mask."""
    query = """
        SELECT change, any_value(tau) AS tau, any_value(tau_low) AS tau_low, any_value(tau_high) AS tau_high,
        count(*) AS entrants, count(*) FILTER (rank = rank_before) AS same
        FROM changes WHERE task_key = ? GROUP BY change ORDER BY change
    """
    return [
        Text(
            f"Under {r['change']}: Kendall's tau {short(r['tau'])}{_by_chance(r)}, {r['same']} of {r['entrants']} "
            "places as before"
        )
        for r in records(connection, query, task["task_key"])
    ]


def _by_chance(change: Record) -> str:
    """Where the tau would lie if the entrants of each tie group were tied; empty where none are."""
    if change["tau_low"] is None:
        return ""
    return f" ({short(change['tau_low'])} to {short(change['tau_high'])} by chance)"


def against(connection: DuckDBPyConnection, task: Record, headline: list[Record], entrants: list[Record]) -> list[Text]:
    """Who is better than the best control, a line for each headline metric."""
    query = "SELECT * FROM contrasts WHERE task_key = ?"
    rows = records(connection, query, task["task_key"])
    best = next((e["entrant"] for e in entrants if any(row["control"] == e["entrant"] for row in rows)), None)
    lines = []
    for metric in headline:
        own = [row for row in rows if (row["control"], row["metric"]) == (best, metric["metric"])]
        own = [row for row in own if row["gain"] is not None]
        whole = max((row["items"] for row in own), default=0)
        better = [_lead(row, whole) for row in own if row["verdict"] == Verdict.BETTER]
        nobody = "none" if any(row["verdict"] != Verdict.TOO_FEW for row in own) else str(Verdict.TOO_FEW)
        if own:
            lines.append(Text(f"{metric['metric']}: better than the control {best}: {', '.join(better) or nobody}"))
    family = {row["family"] for row in rows if (row["control"] == best and row["metric"] in _ids(headline))}
    if lines and family:
        lines.append(
            Text(
                f"Better by sign-flip tests on clusters, adjusted (max-T) over {max(family)} comparisons with {best}, "
                "at p < .05; intervals agree with them.",
                style="dim",
            )
        )
    return lines


def _ids(metrics: list[Record]) -> set[str]:
    return {metric["metric"] for metric in metrics}


def _lead(row: Record, whole: int) -> str:
    """Who is ahead by how much, and on how many items where they are fewer than the most."""
    few = "" if row["items"] == whole else f" on {row['items']} items"
    return f"{row['entrant']} by {value(row, 'gain', '')}{few}"
