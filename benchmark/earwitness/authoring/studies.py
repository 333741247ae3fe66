"""What studies of finished runs share: reading runs, what was measured on one model, and verdicts on all pairs."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import combinations
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from earwitness.board.contrasts import gains_over, margin_of
from earwitness.board.curves import parted
from earwitness.board.facts import mean_ceilings, task_facts
from earwitness.board.variants import Variant, measured_variant, variants
from earwitness.errors import EarwitnessError, NotComparableError, nearest
from earwitness.results.filling import definers, direction
from earwitness.results.folders import open_runs
from earwitness.stats.verdicts import Gains, Verdict, judged

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from earwitness.board.variants import MeasuredVariant
    from earwitness.results.cube import Cube
    from earwitness.results.folders import StoredRun
    from earwitness.stats.intervals import Array
    from earwitness.task import Task

WORDS = {Verdict.EQUIVALENT: "as good as", Verdict.NOT_TOLD: "not told from", Verdict.TOO_FEW: "not told from"}
"""How a sentence puts a verdict on its subject that is no word of the engine's own."""


def printed(report: Callable[[], str]) -> int:
    """Print a report, or in one line the error that kept it from being made; the exit code."""
    try:
        print(report())
    except EarwitnessError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def runs_in(places: Sequence[Path]) -> list[StoredRun]:
    """Runs with rows in some folders; those that cannot be read are named on stderr.

    Raises EarwitnessError where there is none.
    """
    runs, unread = open_runs(places)
    for each in unread:
        print(each.reason, file=sys.stderr)
    if not runs:
        raise EarwitnessError(f"no runs in {', '.join(map(str, places))}; `earwitness run` makes them")
    return runs


def measured_on(task: Task, task_hash: str, runs: Sequence[StoredRun]) -> MeasuredVariant:
    """What runs in a box, at submissions' own budgets, measured of the variant of a task that has this hash in rows.

    Raises NotComparableError where no run has rows of it.
    """
    own = parted(runs)[0]
    rows = pa.concat_tables([run.rows for run in own]) if own else None
    variant = Variant(task.id, task_hash)
    if rows is None or variant not in variants(rows):
        raise NotComparableError(
            f"no run of {task.id} as it is now (hash {task_hash}); make some with `earwitness run --task {task.id}`"
        )
    recipes = [run.recipe for run in runs]
    return measured_variant(task.id, variant, task_facts(task.id, task_hash, recipes), rows, recipes)


def asked_metrics(task: Task, asked: str | None) -> list[str]:
    """Ids of the metrics that a study is about: the one that is asked for, else the headline and the main metric.

    Raises EarwitnessError where the task has no such metric, or one without a direction.
    """
    if asked is not None:
        known = [metric.id for metric in task.card.metrics]
        if asked not in known:
            raise EarwitnessError(f"task {task.id} has no metric {asked!r}; {nearest(asked, known, 'metrics')}")
        if not direction(asked):
            raise EarwitnessError(f"{asked} describes: no value of it is more faithful than another")
        return [asked]
    headline = [metric.id for metric in task.card.metrics if metric.headline]
    found = dict.fromkeys([task.card.main_metric, *headline])
    return [metric for metric in found if direction(metric)]


def absences(measured: MeasuredVariant, metric: str, controls: Collection[str] = ()) -> list[str]:
    """Why each entrant has no place in a study of a metric; empty where it has one.

    Who did not run all items, lacks the metric on one or defines it has none; nor has a control, named by its id.
    """
    cube = measured.cube
    if metric not in cube.metrics:
        return [f"{metric} not measured" for _ in cube.entrants]
    short = cube.shortfalls([cube.metrics.index(metric)])
    defining = definers(metric)
    return [
        "control" if name in controls else reason or (f"defines {metric}" if name in defining else "")
        for (name, _), reason in zip(cube.entrants, short, strict=True)
    ]


def controls_of(measured: MeasuredVariant) -> list[str]:
    """Ids of the entrants that ignore what an explainer should read, as their cards say."""
    return sorted({measured.cube.entrants[number][0] for number in measured.controls})


def complete(cube: Cube, entrants: Sequence[int], metric: str) -> NDArray[np.bool_]:
    """[N] items on which each of some entrants has a value of a metric."""
    return np.asarray(~np.isnan(cube.values[list(entrants), :, cube.metrics.index(metric)]).any(axis=0))


def scores_of(cube: Cube, entrants: Sequence[int], metric: str) -> Array:
    """[N, E] values of some entrants, turned so that higher is more faithful."""
    values: Array = direction(metric) * cube.values[list(entrants), :, cube.metrics.index(metric)].T
    return values


def margin_on(measured: MeasuredVariant, metric: str) -> float:
    """Within which two entrants are equivalent by a metric; NaN where the task stores no ceiling of this model."""
    cube = measured.cube
    return margin_of(cube, cube.metrics.index(metric), mean_ceilings(measured.task.ends))


class Standing(StrEnum):
    """What a verdict on a pair leaves of it."""

    TOLD = "told apart"
    ALIKE = "as good as"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class PairVerdict:
    """What the verdict engine says of two entrants."""

    first: str
    second: str
    word: Verdict
    """Of the first."""
    gain: float
    """By how much the first is more faithful, in the metric's units."""
    low: float
    high: float
    p: float
    needed: float
    """Items that would tell a gain as large as this one with 80 % power; infinite where none is seen."""

    @property
    def standing(self) -> Standing:
        """Whether the two are told apart, as good as each other, or neither."""
        if self.word in (Verdict.BETTER, Verdict.WORSE):
            return Standing.TOLD
        return Standing.ALIKE if self.word == Verdict.EQUIVALENT else Standing.UNDECIDED

    def __str__(self) -> str:
        relation = WORDS.get(self.word, f"{self.word} than")
        return f"`{self.first}` {relation} `{self.second}` (gain {self.gain:.3f} [{self.low:.3f}, {self.high:.3f}])"


def pair_verdicts(cube: Cube, labels: Mapping[int, str], metric: str, margin: float) -> list[PairVerdict]:
    """Verdicts on all pairs of some entrants by a metric: one family. `labels` are the entrants' names by number."""
    pairs = list(combinations(labels, 2))
    number = cube.metrics.index(metric)
    each = [gains_over(cube, [first], second, [number]) for first, second in pairs]
    sides = (np.concatenate([getattr(one, side) for one in each], axis=1) for side in ("value", "least", "most"))
    return verdicts_of(Gains(*sides), cube.ways, [(labels[first], labels[second]) for first, second in pairs], margin)


def verdicts_of(
    gains: Gains, clusters: NDArray[np.int64], names: Sequence[tuple[str, str]], margin: float
) -> list[PairVerdict]:
    """Verdicts on K named comparisons, one family: gains `[N, K]` on items of clusters `[N, W]`, within one margin."""
    found = judged(gains, clusters, np.full(len(names), margin))
    columns = (found.effect, found.low, found.high, found.p, found.needed)
    return [
        PairVerdict(first, second, found.words[place], *(float(column[place]) for column in columns))
        for place, (first, second) in enumerate(names)
    ]


def markdown(columns: Sequence[str], records: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [f"| {' | '.join(cells)} |" for cells in (columns, *records)]
    return "\n".join([lines[0], f"|{'---|' * len(columns)}", *lines[1:]])


def as_json(value: Any) -> Any:
    """Values and dataclasses as JSON takes them; numbers that are not finite are null."""
    if hasattr(value, "__dataclass_fields__"):
        return as_json(asdict(value))
    if isinstance(value, dict):
        return {str(key): as_json(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(each) for each in value]
    return None if isinstance(value, float) and not isfinite(value) else value
