"""How far a task's items tell its entrants apart, and what keeps them from it.

`python -m earwitness.authoring.separation TASK RUNS...` says of finished runs, by metric: on how many items two
entrants have the same value, how many pairs the verdict engine tells apart, how often the random explainer reaches the
ceiling by chance, how far the leaders are from what generation's own noise does, and how many items would settle what
is undecided. Controls have no place among the entrants.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from earwitness import registry
from earwitness.authoring.studies import (
    PairVerdict,
    Standing,
    absences,
    as_json,
    asked_metrics,
    complete,
    controls_of,
    margin_on,
    markdown,
    measured_on,
    pair_verdicts,
    printed,
    runs_in,
    scores_of,
    verdicts_of,
)
from earwitness.errors import EarwitnessError, NotComparableError
from earwitness.results.filling import direction
from earwitness.stats.verdicts import Gains, Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from earwitness.board.variants import MeasuredVariant
    from earwitness.results.cube import Cube
    from earwitness.results.folders import StoredRun
    from earwitness.stats.intervals import Array
    from earwitness.task import Task

IDENTICAL = 1e-6
"""Values that differ by no more are the same but for rounding in single precision."""
NOISE = "_noise"
"""What ends the name of the metric of generation's own noise: `fid_noise` beside `fid_f` and `fid_cf`."""


@dataclass(frozen=True)
class AtCeiling:
    """Share of items on which the random explainer is as faithful as the ceiling, or more so, by explainer seed."""

    shares: tuple[float, ...]
    items: int
    """Items whose ceiling is stored."""

    @property
    def mean(self) -> float:
        """Over seeds."""
        return float(np.mean(self.shares))


@dataclass(frozen=True)
class Separation:
    """How far items tell entrants apart by one metric."""

    metric: str
    entrants: tuple[str, ...]
    items: int
    clusters: int
    identical: float
    """Share of items on which two entrants have the same value, mean over pairs."""
    most_alike: tuple[str, str, float]
    """The pair with the largest such share."""
    pairs: tuple[PairVerdict, ...]
    at_ceiling: AtCeiling | None
    """None without a random explainer or stored ceilings."""
    leaders: tuple[str, ...]
    """The entrant with the best mean, and those that it is not told to be better than."""
    noise: str
    """The metric of generation's own noise; empty where the task has none."""
    to_noise: tuple[PairVerdict, ...]
    """Leaders against that noise: one family."""
    left_out: dict[str, str]
    """Why entrants are left out, by name."""

    def of(self, standing: Standing) -> list[PairVerdict]:
        """Pairs that are told apart, as good as each other, or undecided; those that fewest items settle first."""
        return sorted((pair for pair in self.pairs if pair.standing == standing), key=lambda pair: pair.needed)


def separate(task: Task, measured: MeasuredVariant, metric: str, controls: Collection[str]) -> Separation:
    """How far items tell entrants apart by a metric; `controls` are ids of those that have no place.

    Raises NotComparableError where fewer than two entrants, or no items, are left.
    """
    absent = absences(measured, metric, controls)
    labels = {number: name for number, name in enumerate(measured.labels) if not absent[number]}
    left_out = {measured.labels[number]: reason for number, reason in enumerate(absent) if reason}
    if len(labels) < 2:
        why = "".join(f"; {name}: {reason}" for name, reason in left_out.items())
        raise NotComparableError(f"{metric}: two entrants are needed, and there are {len(labels)}{why}")
    cube = measured.cube.on(complete(measured.cube, list(labels), metric))
    if not cube.items:
        raise NotComparableError(f"{metric}: no item has values of all {len(labels)} entrants")
    values, margin = scores_of(cube, list(labels), metric), margin_on(measured, metric)
    verdicts = pair_verdicts(cube, labels, metric, margin)
    alike = {(one, other): same(values[:, [one, other]]) for one, other in combinations(range(len(labels)), 2)}
    names, nearest = list(labels.values()), max(alike, key=lambda pair: alike[pair])
    leaders = leading(names, values, verdicts)
    noise = noise_of(task, metric)
    return Separation(
        metric=metric,
        entrants=tuple(names),
        items=len(cube.items),
        clusters=int(cube.clusters.max()) + 1,
        identical=float(np.mean(list(alike.values()))),
        most_alike=(names[nearest[0]], names[nearest[1]], alike[nearest]),
        pairs=tuple(verdicts),
        at_ceiling=at_ceiling(measured.cube, metric, measured.task.ends.get("ceiling", {}).get(metric, {})),
        leaders=tuple(leaders),
        noise=noise,
        to_noise=tuple(against_noise(cube, {n: s for n, s in labels.items() if s in leaders}, metric, noise, margin)),
        left_out=left_out,
    )


def same(values: Array) -> float:
    """Share of items on which two entrants have the same value, from values `[N, 2]`."""
    return float((np.abs(values[:, 0] - values[:, 1]) <= IDENTICAL).mean())


def leading(names: Sequence[str], values: Array, verdicts: Sequence[PairVerdict]) -> list[str]:
    """The entrant with the best mean of values `[N, E]`, and those that it is not told to be better than."""
    best = names[int(values.mean(axis=0).argmax())]
    behind = {pair.second for pair in verdicts if pair.first == best and pair.word == Verdict.BETTER}
    behind |= {pair.first for pair in verdicts if pair.second == best and pair.word == Verdict.WORSE}
    return [name for name in names if name not in behind]


def at_ceiling(cube: Cube, metric: str, ceilings: Mapping[str, float]) -> AtCeiling | None:
    """How often the random explainer reaches the ceiling of an item by chance; None where one of the two is not known.

    Of sampled metrics both are means over the generation seeds.
    """
    known = np.array([ceilings.get(item, np.nan) for item in cube.items])
    if cube.floor is None or np.isnan(known).all():
        return None
    cells = cube.cells[cube.floor, :, :, :, cube.metrics.index(metric)]
    seen = ~np.isnan(cells)
    with np.errstate(invalid="ignore"):
        values = np.where(seen, cells, 0.0).sum(axis=1) / seen.sum(axis=1)
    there = ~np.isnan(values + known[:, None])
    reached = direction(metric) * (values - known[:, None]) >= -IDENTICAL
    shares = [float(reached[own, seed].mean()) for seed, own in enumerate(there.T) if own.any()]
    return AtCeiling(tuple(shares), int(there.any(axis=1).sum())) if shares else None


def noise_of(task: Task, metric: str) -> str:
    """The task's metric of what generation alone changes, as the same judge hears it; empty where there is none."""
    (own,) = (card for card in task.card.metrics if card.id == metric)
    name = own.metric.rpartition("_")[0] + NOISE
    judge = own.parameters.get("judge")
    same_judge = [card.id for card in task.card.metrics if (card.metric, card.parameters.get("judge")) == (name, judge)]
    return same_judge[0] if same_judge else ""


def against_noise(cube: Cube, labels: Mapping[int, str], metric: str, noise: str, margin: float) -> list[PairVerdict]:
    """Verdicts on some entrants, by their number, against generation's own noise as a metric of it says it."""
    if noise not in cube.metrics:
        return []
    chosen, place, sign = list(labels), cube.metrics.index(metric), direction(metric)
    level = cube.values[chosen, :, cube.metrics.index(noise)].T
    values, worst = (side[chosen, :, place].T for side in (cube.values, cube.values_at_worst))
    gains = Gains(*(sign * (side - level) for side in (values, worst, values)))
    return verdicts_of(gains, cube.ways, [(name, noise) for name in labels.values()], margin)


def study(
    task: Task, runs: Sequence[StoredRun], metric: str | None = None, controls: Collection[str] | None = None
) -> list[Separation]:
    """The separation by the headline and the main metric, or by the one that is asked for.

    `controls` are ids of those that have no place among the entrants, by default those whose cards say it. Raises
    EarwitnessError where one of them is no entrant.
    """
    metrics = asked_metrics(task, metric)
    measured = measured_on(task, task.hash, runs)
    ids = {name for name, _ in measured.cube.entrants}
    if strangers := sorted(set(controls or ()) - ids):
        raise EarwitnessError(
            f"--controls {', '.join(strangers)}: not among the runs, which are of {', '.join(sorted(ids))}"
        )
    chosen = controls_of(measured) if controls is None else controls
    return [separate(task, measured, id, chosen) for id in metrics]


COLUMNS = (
    *("metric", "entrants", "items", "same value", "told apart", "as good as", "undecided"),
    *("random at the ceiling", "leaders", "items that would settle"),
)


def report(task: Task, found: Sequence[Separation]) -> str:
    """The study in Markdown: a table, and the leaders and the undecided pairs of each metric."""
    parts = [f"# How far {task.id} tells its entrants apart", markdown(COLUMNS, [_record(each) for each in found])]
    return "\n\n".join([*parts, *(_details(each) for each in found)])


def _record(one: Separation) -> list[str]:
    undecided = one.of(Standing.UNDECIDED)
    told, alike = (len(one.of(standing)) for standing in (Standing.TOLD, Standing.ALIKE))
    return [
        f"`{one.metric}`",
        str(len(one.entrants)),
        str(one.items),
        f"{one.identical:.0%}",
        f"{told} of {len(one.pairs)}",
        str(alike),
        str(len(undecided)),
        _chance(one.at_ceiling),
        str(len(one.leaders)),
        f"{_items(undecided[0])} to {_items(undecided[-1])}" if undecided else "-",
    ]


def _chance(found: AtCeiling | None) -> str:
    if found is None:
        return "-"
    seeds = f" ({min(found.shares):.0%} to {max(found.shares):.0%} by seed)" if len(found.shares) > 1 else ""
    return f"{found.mean:.0%} of {found.items}{seeds}"


def _items(pair: PairVerdict) -> str:
    return f"{pair.needed:,.0f}" if np.isfinite(pair.needed) else "no number"


def _details(one: Separation) -> str:
    first, second, share = one.most_alike
    alike = f"Most alike: `{first}` and `{second}`, with the same value on {share:.0%} of {one.items} items."
    lines = [
        f"## `{one.metric}`",
        f"{alike if share else 'No two have the same value on any item.'} Leaders: "
        f"{', '.join(f'`{name}`' for name in one.leaders)}.",
    ]
    if one.left_out:
        lines.append("Left out: " + ", ".join(f"`{name}` ({reason})" for name, reason in one.left_out.items()) + ".")
    lists = (("Leaders against generation's own noise:", [str(pair) for pair in one.to_noise]),
             ("Undecided, and the items that would settle a gain like this one:",
              [f"{pair}: {_items(pair)}" for pair in one.of(Standing.UNDECIDED)]))  # fmt: skip
    for title, entries in lists:
        if entries:
            lines += [title, "\n".join(f"* {entry}" for entry in entries)]
    return "\n\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the study of a task; the exit code."""
    parser = ArgumentParser(prog="python -m earwitness.authoring.separation", description=__doc__)
    parser.add_argument("task", metavar="TASK")
    parser.add_argument("runs", metavar="RUNS", type=Path, nargs="+")
    parser.add_argument("--metric", metavar="ID", help="this one instead of the headline and the main metric")
    parser.add_argument("--controls", metavar="ID[,ID]", help="entrants that have no place; default: cards of controls")
    parser.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    given = parser.parse_args(arguments)
    controls = None if given.controls is None else [name for name in given.controls.split(",") if name]

    def made() -> str:
        task = registry.task(given.task)
        found = study(task, runs_in(given.runs), given.metric, controls)
        return json.dumps([_json(each) for each in found], indent=2) if given.json else report(task, found)

    return printed(made)


def _json(one: Separation) -> dict[str, object]:
    counts = {standing.value: len(one.of(standing)) for standing in Standing}
    chance = None if one.at_ceiling is None else {**as_json(one.at_ceiling), "mean": one.at_ceiling.mean}
    return {**as_json(one), "counts": counts, "at_ceiling": chance}


if __name__ == "__main__":
    sys.exit(main())
