"""What each headline metric weighs in a task's score, found once from the registered submissions and stored with the
task's audit: `python -m earwitness.board.weighing TASK --runs DIR[,..]`.

Stored, since a score that hung on who else is on a board would mean nothing elsewhere; from registered submissions
alone, since whoever enters could else turn the weights.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from earwitness import registry
from earwitness.board.facts import task_facts
from earwitness.board.summary import CALIBRATED, Summary
from earwitness.board.variants import measured_variant, variants
from earwitness.errors import EarwitnessError
from earwitness.results.audits import Audit, ScoreWeights, read_audit, write_audit
from earwitness.results.folders import open_runs
from earwitness.results.rows import INLINE
from earwitness.stats.composite import FEWEST_ENTRANTS, balanced
from earwitness.stats.intervals import Resampling

if TYPE_CHECKING:
    from collections.abc import Sequence

    from earwitness.results.folders import StoredRun
    from earwitness.task import Task

QUICK = Resampling(draws=2)
"""Nothing of an interval is used."""


def weighed(task: Task, runs: Sequence[StoredRun]) -> ScoreWeights:
    """The weights of a task's informative headline metrics under which none of them makes the score alone, from the
    spread of the registered submissions, controls among them, that ran all of its items.

    Raises EarwitnessError where the task has no audit of its data, or the runs none of its rows.
    """
    of_task = [rows for run in runs if len(rows := _boxed(run.rows, task.hash))]
    if not of_task:
        raise EarwitnessError(f"no run of {task.id} as it is now; make some with `earwitness run --task {task.id}`")
    recipes = [run.recipe for run in runs]
    facts = task_facts(task.id, task.hash, recipes)
    rows = pa.concat_tables(of_task)
    variant = variants(rows)[0]
    measured = measured_variant(task.id, variant, facts, rows, recipes)
    summary = Summary(measured.cube, measured.facts, facts, True, QUICK)
    if summary.ranked_by != CALIBRATED:
        why = facts.audit_problem or f"it has no audit; make one with `earwitness audit {task.id}`"
        raise EarwitnessError(f"{task.id} cannot be weighed: {why}")
    found = summary.placings
    if found is None:
        raise EarwitnessError(f"{task.id} cannot be weighed: nobody has a score on these runs")
    kept = [place for place, entrant in enumerate(found.entrants) if measured.submissions[entrant].registered]
    if len(kept) < FEWEST_ENTRANTS:
        raise EarwitnessError(
            f"{task.id} cannot be weighed: {len(kept)} registered submissions have a score on these runs, and "
            f"{FEWEST_ENTRANTS} are needed; run more of them"
        )
    weights = balanced(found.parts[kept])
    return ScoreWeights(
        headline={c.facts.id: float(weight) for c, weight in zip(summary.headline, weights, strict=True)},
        entrants=sorted(measured.labels[found.entrants[place]] for place in kept),
        items=len(measured.cube.items),
    )


def _boxed(rows: pa.Table, task_hash: str) -> pa.Table:
    """Rows of a task that were made in a box."""
    mine = pc.equal(rows["task_hash"], task_hash)
    return rows.filter(pc.and_(mine, pc.not_equal(rows["isolation"], INLINE)))


def store(task: Task, weights: ScoreWeights) -> None:
    """Write weights into the audit that is stored with a task; raises EarwitnessError where there is none."""
    audit = read_audit(task.folder / "truth")
    if audit is None:
        raise EarwitnessError(f"{task.id} has no audit; make one with `earwitness audit {task.id}`")
    write_audit(task.folder / "truth", Audit(**{**dict(audit), "weights": weights}))


def main(arguments: Sequence[str] | None = None) -> None:
    """Weigh a task and print what its headline metrics weigh."""
    parser = ArgumentParser(prog="python -m earwitness.board.weighing", description=__doc__)
    parser.add_argument("task")
    parser.add_argument("--runs", default="runs", help="folders of runs, separated by commas")
    given = parser.parse_args(arguments)
    task = registry.task(given.task)
    found, _ = open_runs([Path(folder) for folder in given.runs.split(",")])
    weights = weighed(task, found)
    store(task, weights)
    for metric, weight in weights.headline.items():
        print(f"{metric}: {weight:.3f}")
    print(f"from {len(weights.entrants)} registered submissions on {weights.items} items")


if __name__ == "__main__":
    try:
        main()
    except EarwitnessError as error:
        sys.exit(str(error))
