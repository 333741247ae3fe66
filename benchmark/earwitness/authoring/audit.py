"""The audit of a task's metrics: which can be trusted, found out by trying explanations whose worth is known."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from earwitness import metrics
from earwitness.authoring import ceilings, work
from earwitness.authoring.findings import Evidence, everything, found
from earwitness.authoring.tried import Trial
from earwitness.errors import EarwitnessError
from earwitness.identity import digest, of_files
from earwitness.results.audits import Audit, read_audit, write_audit
from earwitness.results.clusters import ways
from earwitness.scoring import Setting, load
from earwitness.scoring.certificates import folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from earwitness.authoring.tried import Tried
    from earwitness.stats.intervals import Array
    from earwitness.task import MetricCard, Task

    Column: TypeAlias = tuple[Array, Array, dict[str, Array]]

ITEMS = 40
"""Items of a task that an audit looks at, where no other number is asked for."""
FILE = ".audit.jsonl"
"""Finished items of an audit that goes on; hidden, so that it is no part of the task's identity."""
NOISE = "other noise"
ANOTHER_QUESTION = {"factor", "roles", "level"}
"""Parameters that say what is asked, not how: another value is no change that an answer should survive."""
OTHERS = slice(1, None)
"""Generation seeds but the first."""


def audit(task: Task, items: int | None = ITEMS, device: str = "cpu", progress: bool = True) -> Audit:
    """Audit the metrics of a task on its first items, store the result with the task, and return it; resumes.

    Raises EarwitnessError where no ceilings are stored with the task, or a file cannot be written.
    """
    stored = ceilings.read(task)
    if task.own_model is not None or not stored:
        raise EarwitnessError(
            f"task {task.id}: no ceilings of its own model are stored, so nothing can be audited; `earwitness train` "
            "computes those of made worlds, `python -m earwitness.authoring TASK --ceilings` those of others"
        )
    with tempfile.TemporaryDirectory() as cache, work.bars(progress) as bars:
        scoring: Any = load(Setting(task, items=items, device=device, cache=Path(cache)))
        done = work.Work(folder(task) / FILE, identity(task))
        trial, (chosen, _) = Trial(task, scoring), scoring.items()
        advance = work.stage_of(bars, f"audit of {task.id}", len(chosen))
        rows: dict[str, list[dict[str, Any]]] = {}
        for item in chosen:
            rows[item.id] = done.rows("audit", item.id, lambda item=item: trial.values(item))  # type: ignore[misc]
            advance(1)
        tried, clusters = trial.arrays(list(rows), rows), scoring.clusters()
        result = of_values(task, tried, [clusters[item] for item in tried.items], stored, trial.truth)
        before = read_audit(folder(task))
        if before is not None and before.data_hash == result.data_hash:
            result = result.model_copy(update={"weights": before.weights})
        write_audit(folder(task), result)
        done.path.unlink(missing_ok=True)
    return result


def identity(task: Task) -> str:
    """What finished items of an audit hang on: card, models and ceilings, 16 hex digits."""
    return digest([work.identity(task), of_files(folder(task), [folder(task) / ceilings.CEILING])])


def of_values(task: Task, tried: Tried, clusters: list[str], stored: list[dict[str, Any]], truth: str | None) -> Audit:
    """The audit of what was tried on items of these clusters, with the rows of the ceilings that are stored; `truth` is
    the metric that compares with model truth, None where there is none.
    """
    known: dict[tuple[str, str], list[float]] = {}
    for row in stored:
        if row["kind"] == ceilings.BEST:
            known.setdefault((row["metric"], row["item"]), []).append(row["value"])
    columns = {name: _column(tried, number) for number, name in enumerate(tried.metrics)}
    true = columns.get(truth) if truth is not None else None
    result = {}
    for card in task.card.metrics:
        random, forms, blind = columns[card.id]
        own = everything(random, forms, blind)
        changed = {
            change: (own, everything(*columns[other])) for change, other in changes(card, task.card.metrics).items()
        }
        if random.shape[1] > 1 and not np.isnan(random[:, 1:]).all():
            changed[NOISE] = everything(*_under(columns[card.id], [0])), everything(*_under(columns[card.id], OTHERS))
        result[card.id] = found(
            Evidence(
                direction=metrics.get(card.metric).direction,
                clusters=ways(clusters),
                ceiling=np.array([_mean(known.get((card.id, item), [])) for item in tried.items]),
                random=random,
                forms=forms,
                blind=blind,
                truth=None if true is None or card.id == truth else everything(*true),
                own_forms=card.id in tried.own,
                changed=changed,
            )
        )
    return Audit(task=task.id, data_hash=task.data_hash, items=len(tried.items), metrics=result)


def changes(card: MetricCard, others: Sequence[MetricCard]) -> dict[str, str]:
    """Ids of those metrics that are the card's with a parameter more or otherwise, by what that is; those that ask
    another question are none.
    """
    found = {}
    for other in others:
        more = {key: value for key, value in other.parameters.items() if card.parameters.get(key) != value}
        if ANOTHER_QUESTION & more.keys():
            continue
        if other.metric == card.metric and card.parameters.keys() <= other.parameters.keys() and more:
            found[", ".join(f"{key} {value}" for key, value in more.items())] = other.id
    return found


def _column(tried: Tried, number: int) -> Column:
    """Of one metric: the random explainer [N, G, X], the forms [N, F, G] and the blind [N, G]."""
    return (
        tried.random[..., number],
        tried.forms[..., number],
        {name: values[..., number] for name, values in tried.blind.items()},
    )


def _under(column: Column, seeds: list[int] | slice) -> Column:
    """The same under some of the generation seeds."""
    random, forms, blind = column
    return random[:, seeds], forms[:, :, seeds], {name: values[:, seeds] for name, values in blind.items()}


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
