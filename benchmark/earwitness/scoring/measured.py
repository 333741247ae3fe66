"""What was measured: the identity of each metric of a card, beside that of what was explained."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from earwitness.closure import code_hash, locate
from earwitness.identity import digest, files_of, of_files
from earwitness.scoring.certificates import folder

if TYPE_CHECKING:
    from earwitness.task import JudgeCard, Task

CEILINGS = "ceiling.parquet"
"""File of the truth that no row depends on: calibrated values do, and the board makes those."""


def measured(task: Task) -> dict[str, str]:
    """Identity of what each metric of a card measures, by the metric's id, 16 hex digits.

    It holds the metric, its parameters, what of the card's `[scoring]` it goes by where that is not the default, its
    judge with weights, the stored truth, the generation seeds, and the code of the metric, of the judge and of the
    track's scoring, with all that they import. Raises InvalidCardError where a metric is not of the task's track.
    """
    track, truth = task.card.track, folder(task)
    files = [path for path in files_of(truth) if path.name != CEILINGS] if truth.is_dir() else []
    shared: dict[str, Any] = {
        "seeds": task.card.generation_seeds,
        "truth": of_files(truth, files),
        "scoring": code_hash([f"earwitness.scoring.{track}.scoring"]),
    }
    judges = {judge.name: judge for judge in task.card.judges}
    found = {}
    for card, reading in zip(task.card.metrics, _readings(task), strict=True):
        judge = judges.get(getattr(reading, "judge", ""))
        chosen = getattr(reading, "choices", ())
        found[card.id] = digest(
            {
                **shared,
                **({"choices": dict(chosen)} if chosen else {}),
                "metric": card.metric,
                "parameters": card.parameters,
                "code": code_hash([reading.metric.function.__module__]),
                "judge": None if judge is None else _judge(task, judge),
            }
        )
    return found


def listening(task: Task) -> str:
    """Identity of what judges hear in the items themselves: the judges with their weights and code, 16 hex digits."""
    return digest([_judge(task, judge) for judge in task.card.judges])


def _judge(task: Task, judge: JudgeCard) -> list[str]:
    module = f"earwitness.judges.{judge.adapter}"
    return [task.named(judge.source), judge.revision, code_hash([module]) if locate(module) else judge.adapter]


def _readings(task: Task) -> list[Any]:
    found: list[Any] = import_module(f"earwitness.scoring.{task.card.track}.readings").read_card(task)
    return found
