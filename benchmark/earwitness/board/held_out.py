"""Public and held-out items side by side: what an entrant gains over the floor on each, and whether that differs.

The items that nobody but their owner has are in no table: of them the board holds means, intervals and verdicts alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from earwitness.board.cells import probability, short, value
from earwitness.board.columns import number
from earwitness.board.store import records
from earwitness.results.filling import definers, direction
from earwitness.results.held_out import PRIVATE, mark_of, public_of
from earwitness.results.task_hashes import parted
from earwitness.stats.unpaired import judged_apart
from earwitness.stats.verdicts import Gains, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duckdb import DuckDBPyConnection
    from rich.console import Console

    from earwitness.board.facts import TaskFacts
    from earwitness.board.summary import Summary
    from earwitness.board.variants import MeasuredVariant
    from earwitness.stats.unpaired import Apart

Record = dict[str, Any]
OF_ITEMS = ("inputs", "items", "exhibits", "item_values", "runs")
"""Tables that tell items, or the recipe that makes them."""
WORDS = {
    Verdict.BETTER: "more faithful on public items",
    Verdict.WORSE: "more faithful on held-out items",
}
FLAG = "!"
"""Stands beside an entrant that is not the same on both, beyond chance."""
READING = (
    "Gain: mean over the items less that of the random explainer on the same items; above 0 is more faithful. "
    f"{FLAG}: the gains on public and on held-out items differ beyond chance, by permutation of clusters between the "
    "two, both sides, adjusted (max-T) over {family} comparisons, at p < .05; intervals agree with them."
)


@dataclass(frozen=True)
class Placed:
    """A variant of a task with its numbers."""

    measured: MeasuredVariant
    summary: Summary
    ranks: list[Record]
    """Of its entrants, in their order."""


def withheld(task_hash: str, task: TaskFacts) -> bool:
    """Whether nobody but their owner may know the items: held-out ones, and those of a private world."""
    return bool(mark_of(task_hash) or (task.card and task.card.dataset.parameters.get(PRIVATE)))


def held_out_records(variants: Sequence[Placed]) -> list[Record]:
    """A record of each entrant and headline metric on a task's public items and on held-out ones of the same seeds."""
    found = []
    for public in variants:
        for other in variants:
            if mark_of(other.measured.variant.task_hash) and _public(other) == _key(public):
                found += _beside(public, other)
    return found


def _key(placed: Placed) -> tuple[str, str, bool]:
    variant = placed.measured.variant
    return variant.task, variant.task_hash, variant.inline


def _public(placed: Placed) -> tuple[str, str, bool]:
    """What the same runs on public items are known by."""
    variant = placed.measured.variant
    hashed = parted(variant.task_hash)._replace(base=public_of(variant.task_hash))
    return variant.task, hashed.text, variant.inline


def _beside(public: Placed, other: Placed) -> list[Record]:
    """Records of two variants; none where one has no floor, or they share no entrant or headline metric."""
    cubes = (public.measured.cube, other.measured.cube)
    floor = None if cubes[0].floor is None else cubes[0].entrants[cubes[0].floor]
    headline = [metric.id for metric in public.measured.facts if metric.headline and direction(metric.id)]
    metrics = [metric for metric in headline if all(metric in cube.metrics for cube in cubes)]
    entrants = [entrant for entrant in cubes[0].entrants if entrant in cubes[1].entrants and entrant != floor]
    if any(cube.floor is None for cube in cubes) or not metrics or not entrants:
        return []
    gains = [_gains(placed, entrants, metrics) for placed in (public, other)]
    ways = [cube.ways for cube in cubes]
    if ways[0].shape[1] != ways[1].shape[1]:
        ways = [cube.clusters[:, None] for cube in cubes]
    found = judged_apart(gains[0], gains[1], (ways[0], ways[1]))
    shown = [(entrant, metric) for entrant in entrants for metric in metrics]
    return [
        {
            "task_key": public.measured.key,
            "held_out_key": other.measured.key,
            "entrant": public.measured.labels[cubes[0].entrants.index(entrant)],
            "metric": metric,
            **_scores("", public, entrant),
            **_scores("held_out_", other, entrant),
            **_means("", gains[0].value[:, place]),
            **_means("held_out_", gains[1].value[:, place]),
            **_verdict(found, place),
        }
        for place, (entrant, metric) in enumerate(shown)
    ]


def _gains(placed: Placed, entrants: Sequence[tuple[str, str]], metrics: Sequence[str]) -> Gains:
    """The gains [N, F x M] of F entrants over the floor by M metrics, entrant by entrant; none of who defines one."""
    cube = placed.measured.cube
    rows, columns = [cube.entrants.index(entrant) for entrant in entrants], [cube.metrics.index(m) for m in metrics]
    signs = np.array([float(direction(metric)) for metric in metrics])
    floor = cube.values[cube.floor][:, columns]
    own = np.array([[name in definers(metric) for metric in metrics] for name, _ in entrants])[:, None]
    value, least = (
        np.where(own, np.nan, (side[rows][:, :, columns] - floor) * signs).transpose(1, 0, 2).reshape(len(floor), -1)
        for side in (cube.values, cube.values_at_worst)
    )
    return Gains(value, least, value)


def _scores(prefix: str, placed: Placed, entrant: tuple[str, str]) -> Record:
    record = placed.ranks[placed.measured.cube.entrants.index(entrant)]
    return {f"{prefix}{name}": record[name] for name in ("score", "score_low", "score_high")}


def _means(prefix: str, gains: np.ndarray) -> Record:
    """Mean gain, and the number of items that it is over."""
    count = int((~np.isnan(gains)).sum())
    return {f"{prefix}gain": float(np.nanmean(gains)) if count else None, f"{prefix}items": count}


def _verdict(found: Apart, place: int) -> Record:
    ends = {"difference": found.effect, "low": found.low, "high": found.high, "p": found.p}
    return {
        "verdict": str(found.words[place]),
        "flagged": found.words[place] in WORDS,
        "family": found.family,
        **{name: number(float(values[place])) for name, values in ends.items()},
    }


def held_out_of(connection: DuckDBPyConnection, task: Record) -> list[Record]:
    """A task's entrants on public and on held-out items, by entrant."""
    query = "SELECT * FROM held_out WHERE task_key = ? ORDER BY held_out_key, entrant, metric"
    return records(connection, query, task["task_key"])


def said(record: Record) -> str:
    """The verdict of a record, in words."""
    return WORDS.get(record["verdict"], str(record["verdict"]))


def reading(found: Sequence[Record]) -> str:
    """How to read the records of a task."""
    return READING.format(family=max(record["family"] for record in found))


def print_held_out(connection: DuckDBPyConnection, task: Record, console: Console) -> None:
    """Print the entrants that ran a task's held-out items, too; nothing where none did."""
    found = held_out_of(connection, task)
    if not found:
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=0, title="Held-out items", title_justify="left")
    table.add_column("submission", no_wrap=True)
    table.add_column("metric", no_wrap=True)
    for column in ("score", "held out", "gain", "held out", "difference", "p"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("")
    before = ""
    for record in found:
        first = record["entrant"] != before
        name = record["entrant"] + (f" {FLAG}" if flagged(found, record["entrant"]) else "")
        before = record["entrant"]
        table.add_row(
            name if first else "",
            record["metric"],
            *(short(record[column]) if first else "" for column in ("score", "held_out_score")),
            short(record["gain"]),
            short(record["held_out_gain"]),
            value(record, "difference", ""),
            probability(record["p"]),
            said(record),
            style="bold" if record["flagged"] else "",
        )
    console.print(table)
    console.print(Text(reading(found), style="dim"))


def flagged(found: Sequence[Record], entrant: str) -> bool:
    """Whether an entrant is not the same on public and held-out items by any of the records."""
    return any(record["flagged"] for record in found if record["entrant"] == entrant)
