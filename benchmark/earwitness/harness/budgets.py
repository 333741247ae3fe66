"""Budget curves: a submission at each budget that its card names, and how its explanations settle."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from earwitness import tracks
from earwitness.errors import EarwitnessError, InvalidExplanationError
from earwitness.harness import explain, score
from earwitness.harness.score import first_seed
from earwitness.harness.stages import LOG
from earwitness.results.curves import Convergence, Settled, write_convergence
from earwitness.results.rows import Status
from earwitness.scoring.sanity import of_track

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from earwitness.harness.engines import Engine
    from earwitness.harness.recipe import Run
    from earwitness.harness.session import Progress, RunOutcome
    from earwitness.submission_card import BudgetCurve
    from earwitness.tracks import Explanation


def at_budgets(runs: Sequence[Run]) -> list[Run]:
    """The runs, each followed by those of its submission at the other budgets of its curve on the task's track.

    Raises EarwitnessError where none has a curve.
    """
    found = [each for run in runs for each in (run, *_others(run))]
    if len(found) == len(runs):
        names = ", ".join(dict.fromkeys(run.submission.id for run in runs))
        raise EarwitnessError(f"--budgets: no card of {names} has a table [curve] with other budgets; add one")
    return found


def _curve(run: Run) -> BudgetCurve | None:
    explainer = run.submission.card.explainers.get(run.task.card.track)
    return None if run.submission.budget or explainer is None else explainer.curve


def _others(run: Run) -> list[Run]:
    """The runs at the other budgets of a curve, largest last."""
    curve = _curve(run)
    if curve is None:
        return []
    own = run.submission.card.explainers[run.task.card.track].budget
    return [replace(run, submission=run.submission.at(value)) for value in curve.values if value != own]


def settle(outcomes: Sequence[RunOutcome], engine: Engine, progress: Progress) -> None:
    """Store beside each run with a curve how its explanations settle; one whose budgets are not all done waits.

    Raises EarwitnessError where explanations cannot be read or the track says nothing of how alike two are.
    """
    done = {outcome.run.name for outcome in outcomes if outcome.done}
    jobs = [
        _CurveJob(outcome.run, tuple(_others(outcome.run)))
        for outcome in outcomes
        if _curve(outcome.run) is not None and {outcome.run.name, *(r.name for r in _others(outcome.run))} <= done
    ]
    if not jobs:
        return
    advance = progress.bar("convergence", len(jobs))
    for job, found in engine.compute(settled, jobs, jobs[0].run.out / LOG, 1):
        if isinstance(found, Exception):
            raise found
        write_convergence(job.run.folder, found)
        advance(1)


@dataclass(frozen=True)
class _CurveJob:
    """A run at its submission's own budget, and those at the others."""

    run: Run
    others: tuple[Run, ...]

    @property
    def runs(self) -> dict[int, Run]:
        """The runs by budget."""
        own = self.run.submission.card.explainers[self.run.task.card.track].budget
        assert own is not None
        found = {each.submission.budget.value: each for each in self.others if each.submission.budget is not None}
        return {own: self.run, **found}


def settled(job: _CurveJob) -> Convergence:
    """How alike the explanations at each budget are to those at the largest; runs in a worker."""
    runs, curve = job.runs, _curve(job.run)
    assert curve is not None
    largest = max(runs)
    scoring: Any = score.load(score.resolve(job.run.setting))
    sanity = of_track(job.run.task.card.track)
    alike: dict[int, list[float]] = {value: [] for value in runs}
    for path in sorted(runs[largest].explanations.glob("*.safetensors")):
        found = {value: _explanations(run, path.name) for value, run in runs.items()}
        items = {item.id: item for item in scoring.items(list(found[largest]))[0]} if found[largest] else {}
        for value, own in found.items():
            both = [id for id in found[largest] if id in own and id in items]
            alike[value] += [sanity.agreement(items[id], own[id], found[largest][id]) for id in both]
    known = {value: [each for each in own if not np.isnan(each)] for value, own in alike.items()}
    return Convergence(
        task_hash=job.run.task_hash,
        submission=job.run.submission.id,
        submission_hash=job.run.submission_hash,
        parameter=curve.parameter,
        largest=largest,
        budgets=[
            Settled(
                value=value,
                submission_hash=runs[value].submission_hash,
                convergence=float(np.mean(own)) if own else None,
                items=len(own),
            )
            for value, own in sorted(known.items())
        ],
    )


def _explanations(run: Run, shard: str) -> dict[str, Explanation]:
    """The explanations of a shard, by item; none of a shard of another explainer seed than the first."""
    path: Path = run.explanations / shard
    kind = tracks.load(run.task.card.track).explanation
    found: dict[str, Explanation] = {}
    described, arrays, fields = explain.read(path)
    if int(fields.get("explainer_seed", first_seed(run))) != first_seed(run):
        return found
    for item, each in described.items():
        if each.status == Status.OK:
            try:
                found[item] = kind.build(arrays.get(item, {}))
            except InvalidExplanationError:
                continue
    return found
