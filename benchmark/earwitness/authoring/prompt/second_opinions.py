"""Whether the judges of a prompt task agree: what each hears, and whether entrants rank alike under each of them.

`python -m earwitness.authoring.prompt.second_opinions TASK RUNS...` prints both, of the runs in some folders.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc
import torch

from earwitness import registry
from earwitness.authoring.prompt.certificate import words_of
from earwitness.authoring.studies import printed, runs_in
from earwitness.authoring.training.floors import Ensemble, coded
from earwitness.errors import EarwitnessError, NotComparableError
from earwitness.metrics.responses.prompt import Sound
from earwitness.results.cube import cube
from earwitness.scoring.columns import of_response, read_columns
from earwitness.scoring.prompt.scoring import load_judges, load_model
from earwitness.stats.intervals import DEFAULT
from earwitness.stats.ranks import agreement, chance, ranks, unrelated
from earwitness.stats.verdicts import order

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from earwitness.scoring.columns import Column
    from earwitness.stats.intervals import Array
    from earwitness.task import Task

SOUNDS = 20
BEYOND = 2
"""From a task's seed to that of the scenes that judges hear: they are neither its own nor those of its certificate."""


@dataclass(frozen=True)
class JudgeAgreement:
    """How alike entrants rank by one metric under two judges."""

    judges: tuple[str, str]
    tau: float
    """Kendall's tau-b of the means over items."""
    unrelated: tuple[float, float]
    """Where it would lie if the second judge ranked at random."""
    tied: tuple[float, float]
    """Where it would lie if those that the first judge does not tell apart were the same."""
    entrants: int
    items: int


def right_top_classes(task: Task, sounds: int = SOUNDS) -> dict[str, tuple[float, float]]:
    """Share of real sounds and of the same sounds through the codec whose top class is one that sounds, by judge.

    The sounds are whole scenes of the task's own world and split. Raises EarwitnessError where its dataset is no made
    world of captions.
    """
    world = words_of(task)
    names = {judge.name for judge in task.card.judges}
    ensemble = Ensemble(load_model(task, "cpu"), load_judges(task, "cpu"))  # type: ignore[arg-type]
    scenes = world.draw(task, sounds, task.card.dataset.seed + BEYOND)
    real = torch.from_numpy(np.stack([world.audio(item) for item in scenes]))
    shares = {}
    for name in sorted(names & set(ensemble.judges)):
        labels = ensemble.judges[name].labels
        tops = [ensemble.presence(audio, name).argmax(1).tolist() for audio in (real, coded(ensemble, real))]
        right = [[labels[top] in item.labels for top, item in zip(some, scenes, strict=True)] for some in tops]
        shares[name] = (float(np.mean(right[0])), float(np.mean(right[1])))
    return shares


def agreements(task: Task, rows: pa.Table) -> list[JudgeAgreement]:
    """How alike entrants rank by the task's main metric under each two of its judges.

    Entrants are those that ran all items and have the metric under all judges, in rows of this very task. Raises
    NotComparableError where there are fewer than three of them, or the card asks one judge alone.
    """
    columns = _by_judge(task)
    if len(columns) < 2:
        raise NotComparableError(f"task {task.id}: one judge alone is asked for {task.card.main_metric}")
    own = pc.equal(rows["task_hash"], task.hash)
    made = cube(rows.filter(own), [column.id for column in columns.values()]).on_roster()
    whole = [at for at, why in enumerate(made.shortfalls(range(len(columns)))) if not why]
    if len(whole) < 3:
        raise NotComparableError(f"task {task.id}: {len(whole)} entrants have every judge's values; three are needed")
    sign = 1.0 if next(iter(columns.values())).metric.direction == "higher" else -1.0
    items = {judge: sign * made.values[whole, :, at].T for at, judge in enumerate(columns)}
    return [_agreement(pair, items, made.clusters) for pair in combinations(columns, 2)]


def _by_judge(task: Task) -> dict[str, Column]:
    """The task's main metric as each judge is asked for it, the main one first."""
    columns = list(of_response(read_columns(task), Sound))
    main = next(column for column in columns if column.id == task.card.main_metric)
    same = [
        column
        for column in columns
        if (column.metric, column.response.mask, column.response.removal, column.parameters)
        == (main.metric, main.response.mask, main.response.removal, main.parameters)
    ]
    return {column.judge: column for column in [main, *same]}


def _agreement(pair: tuple[str, str], items: dict[str, Array], clusters: np.ndarray) -> JudgeAgreement:
    first, second = (items[judge] for judge in pair)
    groups = ranks(order(first, first, clusters), first.mean(axis=0)).group
    means = first.mean(axis=0), second.mean(axis=0)
    return JudgeAgreement(
        pair,
        agreement(*means),
        unrelated(*means, DEFAULT.level),
        chance(first, second, groups, clusters, DEFAULT.level),
        first.shape[1],
        len(first),
    )


def report(task: Task, rows: pa.Table, sounds: int = SOUNDS) -> str:
    """Both tables, as Markdown."""
    heard = [
        f"| `{judge}` | {real:.2f} | {through:.2f} |"
        for judge, (real, through) in right_top_classes(task, sounds).items()
    ]
    lines = [f"| top class right, {sounds} sounds | real | coded |", "|---|---|---|", *heard, ""]
    found = agreements(task, rows)
    what = f"ranks by {task.card.main_metric}, {found[0].entrants} entrants, {found[0].items} items"
    lines += [f"| {what} | Kendall's tau | if unrelated | if ties are ties |", "|---|---|---|---|"]
    for each in found:
        spans = [f"{low:.2f} to {high:.2f}" for low, high in (each.unrelated, each.tied)]
        lines.append(f"| `{each.judges[0]}`, `{each.judges[1]}` | {each.tau:.2f} | {' | '.join(spans)} |")
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Print the report of a task on runs; the exit code."""
    if len(arguments) < 2:
        print("usage: python -m earwitness.authoring.prompt.second_opinions TASK RUNS...", file=sys.stderr)
        return EarwitnessError.exit_code
    import pyarrow

    def tables() -> str:
        runs = runs_in([Path(place) for place in arguments[1:]])
        return report(registry.task(arguments[0]), pyarrow.concat_tables([run.rows for run in runs]))

    return printed(tables)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
