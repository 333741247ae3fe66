"""Whether entrants stand in one order on a task's model and on its twins, trained with masked inputs and without.

`python -m earwitness.authoring.twins TASK RUNS_OF_SHIPPED RUNS_OF_TWIN...` says it of finished runs of one set of
entrants. `earwitness train TASK --twin SEED` trains a twin, `earwitness run --task TASK --model DIR/model` runs one.

On each model the verdicts on all pairs of entrants by one metric are one family; over metrics and twins nothing is
adjusted. What is equivalent is the same on both models: a share of the way from random to ceiling on the shipped one.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from dataclasses import dataclass, field
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earwitness import registry
from earwitness.authoring.order_changes import OrderComparison, VerdictChange, compare_orders
from earwitness.authoring.studies import (
    as_json,
    asked_metrics,
    controls_of,
    markdown,
    measured_on,
    printed,
    runs_in,
)
from earwitness.errors import NotComparableError
from earwitness.identity import digest
from earwitness.own_model import Twin, world_of
from earwitness.results.rows import INLINE
from earwitness.results.task_hashes import parted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from earwitness.results.folders import StoredRun
    from earwitness.task import Task


@dataclass(frozen=True)
class TwinRuns:
    """Runs on one twin."""

    twin: Twin
    task_hash: str
    runs: list[StoredRun] = field(default_factory=list)


@dataclass(frozen=True)
class TwinStudy:
    """Comparisons of each twin and metric, and what could not be compared, one line each."""

    comparisons: list[OrderComparison]
    notes: list[str]


def twins_in(task: Task, runs: Sequence[StoredRun]) -> tuple[list[TwinRuns], list[str]]:
    """Runs on twins of a task with the card's own items and seeds, masked twins first, by seed; and a line for each run
    that was made of other items than the task's now, by other code, or in no box.

    Raises NotComparableError where no run is left.
    """
    grouped: dict[str, TwinRuns] = {}
    notes = []
    for run in runs:
        name = parted(str(run.rows["task_hash"][0].as_py()))
        recorded = run.recipe.get("task", {})
        if recorded.get("twin") is None or recorded.get("id") != task.id or name.text != name.base:
            continue
        twin = Twin.model_validate(recorded["twin"])
        if other := _other(task, run, twin):
            notes.append(f"left out: {run.folder}: {other}")
        else:
            grouped.setdefault(name.base, TwinRuns(twin, name.base)).runs.append(run)
    if not grouped:
        raise NotComparableError(
            f"no run on a twin of {task.id} as it is now; `earwitness train {task.id} --twin SEED` trains one, and "
            f"`earwitness run --task {task.id} --model DIR/model` runs it{''.join(f'; {note}' for note in notes)}"
        )
    found = sorted(grouped.values(), key=lambda each: (not each.twin.masked, each.twin.seed, each.task_hash))
    return found, notes


def _other(task: Task, run: StoredRun, twin: Twin) -> str:
    """Why a run's items or code are not those of the task as it is now; empty where they are."""
    recorded, key = run.recipe["task"], run.recipe.get("seeds", {}).get("seed_key")
    if twin.world != world_of(task) or key != task.seed_key:
        return f"its items are {key} of {twin.world}, those of {task.id} are {task.seed_key} of {world_of(task)}"
    if recorded.get("hash") != digest([recorded.get("data_hash"), task.code_hash]):
        return "other code of the task's track, model or dataset than there is now; run it again"
    if run.rows["isolation"][0].as_py() == INLINE:
        return "made in the caller's process; run it with `earwitness run`"
    return ""


def study(
    task: Task, shipped: Sequence[StoredRun], others: Sequence[StoredRun], metric: str | None, controls: bool = True
) -> TwinStudy:
    """A comparison of each twin and metric: the headline and the main metric, or the one that is asked for.

    Without `controls`, submissions that ignore what an explainer should read have no place in the order. Raises
    NotComparableError where nothing can be compared.
    """
    metrics = asked_metrics(task, metric)
    own = measured_on(task, task.hash, shipped)
    absent = [] if controls else controls_of(own)
    twins, notes = twins_in(task, others)
    comparisons = []
    for each in twins:
        measured = measured_on(task, each.task_hash, each.runs)
        for id in metrics:
            try:
                comparisons.append(compare_orders(own, measured, id, each.twin, absent))
            except NotComparableError as error:
                notes.append(f"{each.twin}: {error}")
    if not comparisons:
        raise NotComparableError("; ".join(notes))
    return TwinStudy(comparisons, notes)


COLUMNS = (
    *("metric", "seed", "entrants", "items", "tau [95 %]", "95 % of random orders", "own halves", "halves across"),
    *(change.value for change in VerdictChange),
)


def report(task: Task, found: Sequence[OrderComparison]) -> str:
    """The study in Markdown: a table for masked twins, one for unmasked ones, changed pairs, and what it says."""
    parts = [f"# The order of entrants on twins of {task.id}"]
    for masked, title in ((True, "Masked twins"), (False, "Unmasked twins")):
        of = [each for each in found if each.twin.masked == masked]
        if of:
            table = markdown(COLUMNS, [_record(each) for each in of])
            changed = [line for each in of for line in _changed(each)]
            said = [sentence(each) for each in of]
            parts += [f"## {title}", table, *said, *(["\n".join(changed)] if changed else []), summary(of)]
    return "\n\n".join(parts)


def _record(one: OrderComparison) -> list[str]:
    spread = f"{one.tau:.2f} [{one.low:.2f}, {one.high:.2f}]"
    numbers = [spread, f"within {one.random:.2f}", f"{one.own_halves:.2f}", f"{one.across_halves:.2f}"]
    start = [f"`{one.metric}`", str(one.twin.seed), str(len(one.entrants)), str(one.items)]
    return [*start, *numbers, *(str(count) for count in one.counts.values())]


def _changed(one: OrderComparison) -> list[str]:
    return [
        f"* `{one.metric}`, seed {one.twin.seed}, {pair.change}: {pair.shipped} on the shipped model, {pair.twin} on "
        "the twin"
        for pair in one.pairs
        if pair.change != VerdictChange.SAME
    ]


def sentence(one: OrderComparison) -> str:
    """What one comparison says, in plain words."""
    beyond = "beyond" if abs(one.tau) > one.random else "not beyond"
    reasons = [f"`{name}` ({reason})" for name, reason in one.left_out.items()]
    left = f" Left out: {', '.join(reasons)}." if reasons else ""
    return (
        f"`{one.metric}`, {one.twin}: the orders of {len(one.entrants)} entrants on the shipped model and on the twin "
        f"agree at a tau of {one.tau:.2f} [{one.low:.2f}, {one.high:.2f}], {beyond} the {one.random:.2f} within which "
        f"95 % of random orders lie. Halves of the items agree at {one.own_halves:.2f} on the shipped model, and at "
        f"{one.across_halves:.2f} from it to the twin. Of {len(one.pairs)} verdicts on pairs {_counted(one.counts)}."
        f"{left}"
    )


def summary(found: Sequence[OrderComparison]) -> str:
    """What comparisons of one kind of twins say together, in plain words."""
    taus = [each.tau for each in found if not isnan(each.tau)] or [float("nan")]
    seeds = sorted({each.twin.seed for each in found})
    counts = {change.value: sum(each.counts[change] for each in found) for change in VerdictChange}
    kind = f"{'masked' if found[0].twin.masked else 'unmasked'} {'twin' if len(seeds) == 1 else 'twins'}"
    metrics = ", ".join(f"`{metric}`" for metric in dict.fromkeys(each.metric for each in found))
    return (
        f"**{len(seeds)} {kind} ({'seed' if len(seeds) == 1 else 'seeds'} {', '.join(map(str, seeds))}), {metrics}:** "
        f"tau from {min(taus):.2f} to {max(taus):.2f}; "
        f"of {sum(counts.values())} verdicts on pairs {_counted(counts)}."
    )


def _counted(counts: Mapping[str, int]) -> str:
    """How many verdicts became what, in words."""
    return (
        f"{counts['same']} are the same, {counts['lost']} lost, {counts['gained']} gained, {counts['REVERSED']} "
        f"reversed and {counts['restated']} restated"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the study of a task; the exit code."""
    parser = ArgumentParser(prog="python -m earwitness.authoring.twins", description=__doc__)
    parser.add_argument("task", metavar="TASK")
    parser.add_argument("shipped", metavar="RUNS_OF_SHIPPED", type=Path)
    parser.add_argument("twins", metavar="RUNS_OF_TWIN", type=Path, nargs="+")
    parser.add_argument("--metric", metavar="ID", help="this one instead of the headline and the main metric")
    parser.add_argument("--without-controls", action="store_true", help="leave controls out of the order")
    parser.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    given = parser.parse_args(arguments)

    def made() -> str:
        task = registry.task(given.task)
        found = study(task, runs_in([given.shipped]), runs_in(given.twins), given.metric, not given.without_controls)
        for note in found.notes:
            print(note, file=sys.stderr)
        return _json(found.comparisons) if given.json else report(task, found.comparisons)

    return printed(made)


def _json(found: Sequence[OrderComparison]) -> str:
    records: list[dict[str, Any]] = [
        {**as_json(each), "twin": each.twin.model_dump(), "counts": each.counts, "says": sentence(each)}
        for each in found
    ]
    return json.dumps(records, indent=2)


if __name__ == "__main__":
    sys.exit(main())
