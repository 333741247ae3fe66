"""What was measured: the identity of each metric of a card, beside that of what was explained."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earwitness import plugins, tracks
from earwitness.closure import code_hash, is_there
from earwitness.identity import digest, files_of, of_files
from earwitness.results.audits import AUDIT
from earwitness.scoring.columns import read_columns

if TYPE_CHECKING:
    from earwitness.task import JudgeCard, Task

CEILINGS = "ceiling.parquet"
NOT_READ = (CEILINGS, AUDIT)
"""Files of the truth that no row depends on: calibrated values and ranks do, and the board makes those."""


def measured(task: Task) -> dict[str, str]:
    """Identity of what each metric of a card measures, by the metric's id, 16 hex digits.

    It holds the metric, its parameters, what of the card's `[scoring]` it goes by where that is not the default, its
    judge with weights, the stored truth, the generation seeds, and the code of the metric, of the judge and of the
    track's scoring, with all that they import. Raises InvalidCardError where a metric is not of the task's track.
    """
    shared: dict[str, Any] = {
        "seeds": task.card.generation_seeds,
        "truth": _stored(task.truth),
        "scoring": code_hash([f"{tracks.load(task.card.track).scoring}.scoring"]),
    }
    judges = {judge.name: judge for judge in task.card.judges}
    found = {}
    for column in read_columns(task):
        judge = judges.get(column.judge)
        found[column.id] = digest(
            {
                **shared,
                **({"choices": dict(column.choices)} if column.choices else {}),
                "metric": column.metric.name,
                "parameters": {**asdict(column.response), **column.parameters},
                "code": code_hash([column.metric.function.__module__]),
                "judge": None if judge is None else _judge(task, judge),
            }
        )
    return found


def _stored(truth: Path | None) -> str:
    """Identity of the stored truth without ceilings and audit; that of no files where there is none."""
    if truth is None or not truth.is_dir():
        return of_files(Path(), [])
    return of_files(truth, [path for path in files_of(truth) if path.name not in NOT_READ])


def listening(task: Task) -> str:
    """Identity of what judges hear in the items themselves: the judges with their weights and code, 16 hex digits."""
    return digest([_judge(task, judge) for judge in task.card.judges])


def _judge(task: Task, judge: JudgeCard) -> list[str]:
    module = plugins.module_of("judges", judge.adapter)
    return [task.named(judge.source), judge.revision, code_hash([module]) if is_there(module) else judge.adapter]
