"""Two runs, or two submissions, on a task: metric by metric on the items that both ran."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from earwitness.board.contrasts import gains_over, margin_of
from earwitness.board.facts import mean_ceilings, task_facts
from earwitness.errors import EarwitnessError, NotComparableError
from earwitness.results.cube import FLOOR, Cube, Sides, side_by_side
from earwitness.results.filling import direction
from earwitness.results.folders import open_run, open_runs
from earwitness.results.rows import RECIPE, Status
from earwitness.stats.intervals import DEFAULT, Resampling
from earwitness.stats.paired import paired_difference
from earwitness.stats.verdicts import Verdict, judged

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from earwitness.results.folders import StoredRun, Unread
    from earwitness.stats.verdicts import Verdicts

WORDS = {Verdict.BETTER: "A is better", Verdict.WORSE: "B is better"}
Key = tuple[str, str]
"""A task and its hash."""


@dataclass(frozen=True)
class Difference:
    """One metric of A and B on the items for which both have values."""

    metric: str
    direction: str
    items: int
    first: float
    """Mean of A, failed items at the floor; NaN where no item has values of both."""
    second: float
    difference: float
    """A - B."""
    low: float
    """Ends of its interval, which leaves out 0 exactly where one is better; by bootstrap where the metric has no
    direction."""
    high: float
    p: float | None = None
    """Adjusted (max-T) over all metrics of the pair that have a direction; None where the metric has none."""
    verdict: str = ""
    """`A is better`, `B is better`, `equivalent`, `not told apart`, `too few items`; empty where the metric has no
    direction."""
    improvement: float | None = None
    """Share of items on which A is more faithful, ties counted half."""
    smallest: float | None = None
    """Smallest difference that these items tell from none with 80 % power."""
    needed: float | None = None
    """Items that would tell a difference as large as this one with 80 % power."""
    margin: float | None = None
    """Within which A and B are equivalent; None where no ceiling is known."""


@dataclass(frozen=True)
class Pair:
    """A and B on one task."""

    task: str
    task_hash: str
    first: str
    second: str
    items: int
    """Items that both ran."""
    clusters: int
    family: int
    """Metrics that verdicts are adjusted over."""
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]


def compare(
    first: str, second: str, runs: Sequence[Path], task: str | None = None, sampling: Resampling = DEFAULT
) -> list[Pair]:
    """A pair for each task that A and B ran, each a run's folder or a submission's id among the runs in some folders.

    Failed items take the floor's value; the floor is looked for among the two and the runs. Raises EarwitnessError
    where A or B is nothing of the kind, or of several versions, and NotComparableError where they share no task, item
    or seed.
    """
    opened, unread = open_runs(runs)
    sides = [_sides(name, opened, unread) for name in (first, second)]
    shared = [key for key in sides[0] if key in sides[1] and task in (None, key[0])]
    if not shared:
        raise NotComparableError(_apart(first, second, sides, task))
    return [_pair((first, second), key, [side[key] for side in sides], opened, sampling) for key in shared]


def _sides(name: str, runs: Sequence[StoredRun], unread: Sequence[Unread]) -> dict[Key, list[StoredRun]]:
    """The runs that a name means, by task."""
    folder = Path(name)
    if folder.is_dir() or (folder / RECIPE).exists():
        mine = [open_run(folder)]
    else:
        mine = [run for run in runs if run.rows["submission"][0].as_py() == name]
    if not mine:
        ids = sorted({run.rows["submission"][0].as_py() for run in runs})
        have = f"the runs have {', '.join(ids)}" if ids else "there are no runs; name their folder with --runs"
        left = f"; left out: {'; '.join(run.reason for run in unread)}" if unread else ""
        raise EarwitnessError(f"{name} is no run's folder and no submission that was run; {have}{left}")
    by_key: dict[Key, list[StoredRun]] = {}
    for run in mine:
        by_key.setdefault((run.rows["task"][0].as_py(), run.rows["task_hash"][0].as_py()), []).append(run)
    for (task, _), group in sorted(by_key.items()):
        if len({run.rows["submission_hash"][0].as_py() for run in group}) > 1:
            names = ", ".join(str(run.folder) for run in group)
            raise EarwitnessError(f"{name} was run on {task} in several versions; name one of {names}")
    return dict(sorted(by_key.items()))


def _apart(first: str, second: str, sides: Sequence[dict[Key, list[StoredRun]]], task: str | None) -> str:
    """Why there is no task on which the two meet."""
    names = [{key[0] for key in side} for side in sides]
    both = sorted(names[0] & names[1] & ({task} if task else names[0]))
    if both:
        return f"{first} and {second} differ in task_hash: they ran different versions or items of {', '.join(both)}"
    if task:
        return f"{first} and {second} did not both run {task}; A ran {_listed(names[0])}, B ran {_listed(names[1])}"
    return f"{first} and {second} differ in task: {_listed(names[0])} and {_listed(names[1])}"


def _pair(
    names: tuple[str, str], key: Key, sides: Sequence[list[StoredRun]], runs: Sequence[StoredRun], sampling: Resampling
) -> Pair:
    tables = [pa.concat_tables([run.rows for run in side]) for side in sides]
    _refuse_other_seeds(names, tables, key[0])
    cube = side_by_side(Sides(tables[0], tables[1], _floor(tables, runs, key)))
    shared = cube.shared(0, 1)
    ran = [int(side.sum()) for side in cube.ran[:2]]
    if not shared.any():
        raise NotComparableError(
            f"{names[0]} and {names[1]} share no item on {key[0]}: they ran {ran[0]} and {ran[1]} items, none of them "
            "the same"
        )
    cube = cube.on(shared)
    notes = list(cube.notes)
    if max(ran) > len(cube.items):
        notes.append(f"A ran {ran[0]} items, B {ran[1]}: compared on the {len(cube.items)} that both ran.")
    for name, entrant in (("A", 0), ("B", 1)):
        lost = int(cube.lost[entrant].sum())
        if lost:
            what = f"the value of {FLOOR!r}" if cube.floor is not None else "the worst value"
            notes.append(
                f"{name} failed on {lost} items, which take {what}; {name} is only said to be better where it is with "
                "the worst values seen there."
            )
    differences = _differences(cube, _ceilings(key, [*runs, *(run for side in sides for run in side)]), sampling)
    return Pair(
        task=key[0],
        task_hash=key[1],
        first=names[0],
        second=names[1],
        items=len(cube.items),
        clusters=int(cube.clusters.max()) + 1,
        family=sum(one.p is not None and one.items > 0 for one in differences),
        differences=tuple(differences),
        notes=tuple(notes),
    )


def _differences(cube: Cube, ceilings: Mapping[str, float], sampling: Resampling) -> list[Difference]:
    """Metrics that only one of the two has are left out."""
    compared = [number for number in range(len(cube.metrics)) if not cube.missing[:2, :, number].all(axis=1).any()]
    judged_ones = [number for number in compared if direction(cube.metrics[number])]
    margins = np.array([margin_of(cube, number, ceilings) for number in judged_ones])
    verdicts = judged(gains_over(cube, [0], 1, judged_ones), cube.ways, margins)
    return [
        _difference(cube, number, sampling, verdicts, judged_ones.index(number) if number in judged_ones else None)
        for number in compared
    ]


def _difference(cube: Cube, number: int, sampling: Resampling, verdicts: Verdicts, place: int | None) -> Difference:
    """place is the metric's among the verdicts, None where it has no direction."""
    metric = cube.metrics[number]
    first, second = cube.values[0, :, number], cube.values[1, :, number]
    both = ~np.isnan(first - second)
    sign = direction(metric)
    plain = Difference(
        metric=metric,
        direction={1: "higher", -1: "lower", 0: "none"}[sign],
        items=int(both.sum()),
        first=float(first[both].mean()) if both.any() else float("nan"),
        second=float(second[both].mean()) if both.any() else float("nan"),
        difference=float((first - second)[both].mean()) if both.any() else float("nan"),
        low=float("nan"),
        high=float("nan"),
    )
    if place is None:
        interval = paired_difference(first, second, cube.clusters, sampling)
        return replace(plain, low=float(interval.low), high=float(interval.high))
    ends = sorted((sign * float(verdicts.low[place]), sign * float(verdicts.high[place])))
    word = verdicts.words[place]
    return replace(
        plain,
        low=ends[0],
        high=ends[1],
        p=float(verdicts.p[place]),
        verdict=WORDS.get(word, str(word)),
        improvement=float(verdicts.improvement[place]),
        smallest=float(verdicts.smallest[place]),
        needed=float(verdicts.needed[place]),
        margin=float(margin) if np.isfinite(margin := verdicts.margin[place]) else None,
    )


def _ceilings(key: Key, runs: Sequence[StoredRun]) -> dict[str, float]:
    """Mean ceiling of each metric of a task that has one."""
    return mean_ceilings(task_facts(*key, [run.recipe for run in runs]).ends)


def _floor(tables: Sequence[pa.Table], runs: Sequence[StoredRun], key: Key) -> pa.Table:
    """Rows of the floor on the task under the seeds of the two; no rows where there is none."""
    candidates = [*tables, *(run.rows for run in runs)]
    of_task = [rows for rows in candidates if (rows["task"][0].as_py(), rows["task_hash"][0].as_py()) == key]
    floors = [rows for rows in of_task if rows["submission"][0].as_py() == FLOOR]
    if not floors:
        return tables[0].slice(0, 0)
    largest = max(floors, key=len)
    return largest.filter(pc.is_in(largest["generation_seed"], value_set=pc.unique(tables[0]["generation_seed"])))


def _refuse_other_seeds(names: tuple[str, str], tables: Sequence[pa.Table], task: str) -> None:
    """A failed item has a row of its first generation seed alone, so that only rows with values tell of those."""
    column = "generation_seed"
    ok = [table.filter(pc.equal(table["status"], Status.OK.value)) for table in tables]
    seeds = [sorted(pc.unique(rows[column]).to_pylist()) for rows in ok]
    if seeds[0] != seeds[1] and all(seeds):
        raise NotComparableError(f"{names[0]} and {names[1]} differ in {column} on {task}: {seeds[0]} and {seeds[1]}")


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))
