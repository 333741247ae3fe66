"""`earwitness audit`: which metrics of a task can be trusted, and whether entrants explain its model at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from earwitness.cli.output import Json, print_json, print_table, progress
from earwitness.cli.trust import TrustTask, trusted
from earwitness.errors import EarwitnessError

if TYPE_CHECKING:
    from earwitness.results.audits import Audit, MetricAudit
    from earwitness.results.sanity import Sanity

MOST_ITEMS = 10**6


class UninformativeError(EarwitnessError):
    """A headline metric of a card tells nothing on its task."""

    exit_code = 1


def audit(
    task: Annotated[str, typer.Argument(metavar="TASK", help="Id or folder of a task.")],
    submission: Annotated[
        str | None,
        typer.Option(metavar="ID[,ID]", help="Of these entrants' runs: do explanations change with the model?"),
    ] = None,
    items: Annotated[
        int | None,
        typer.Option(min=2, max=MOST_ITEMS, metavar="N", help="The first N items; 40 by default, 8 of an entrant."),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the entrants' runs.")] = Path("runs"),
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Where models run.")] = "auto",
    trust_task: TrustTask = False,
    json: Json = False,
) -> None:
    """Find out which metrics of a task can be trusted, and store that with the task; the same command resumes.

    With --submission: whether explanations of entrants change when the model, or what is explained, is spoiled; stored
    with their runs.
    """
    from earwitness import registry
    from earwitness.authoring.audit import ITEMS
    from earwitness.authoring.audit import audit as audit_task
    from earwitness.box import devices

    devices.require(device)
    found = registry.task(task)
    trusted([found], trust_task)
    if submission is not None:
        _entrants(found.id, submission, items, out, json)
        return
    result = audit_task(found, items or ITEMS, devices.resolve(device))
    if json:
        print_json(result.model_dump(mode="json"))
    else:
        show(result)
    dull = [metric.id for metric in found.card.metrics if metric.headline and not result.metrics[metric.id].informative]
    if dull:
        raise UninformativeError(
            f"task {found.id}: its headline {', '.join(dull)} is not told from the random explainer here, and ranks "
            "nobody; choose another headline, or more items"
        )


def _entrants(task: str, submissions: str, items: int | None, out: Path, json: bool) -> None:
    """Look at the sanity of entrants, of their finished runs on a task under a folder."""
    from earwitness.cli.entrants import names_of
    from earwitness.harness import engines
    from earwitness.harness.sanity import ITEMS, done_runs, of_run

    chosen = []
    for name in names_of(submissions, "--submission"):
        runs = done_runs(out, task, name)
        if not runs:
            raise EarwitnessError(
                f"no finished run of {name} on {task} under {out}; make one with `earwitness run --task {task} "
                f"--submission {name} --out {out}`"
            )
        chosen.append(runs[0])
    found = []
    with progress() as shown:
        for folder in chosen:
            found.append(of_run(folder, engines.get("local"), shown, items or ITEMS))
    if json:
        print_json([sanity.model_dump(mode="json") for sanity in found])
        return
    for sanity in found:
        show_sanity(sanity)


def show_sanity(sanity: Sanity) -> None:
    """Print the sanity of an entrant as a table, and what speaks against it below."""
    from earwitness.board.cells import probability

    records = [
        [
            f"when {check.check}",
            _number(check.agreement),
            _number(check.itself),
            probability(check.p),
            check.skipped or ("no drop found" if check.flagged else ""),
        ]
        for check in sanity.checks
    ]
    title = f"sanity of {sanity.submission} on {sanity.task}, {sanity.items} items"
    print_table(title, ["explanations", "alike", "itself", "p", ""], records)
    for flag in sanity.flags:
        print(f"{sanity.submission}: {flag}")


def show(result: Audit) -> None:
    """Print an audit as a table, and what speaks against each metric below it."""
    columns = ["metric", "gap", "p", "ladder", "per item", "reliable", "truth", "gamed"]
    records = [[name, *_cells(metric)] for name, metric in result.metrics.items()]
    print_table(f"audit of {result.task}, {result.items} items", columns, records)
    for name, metric in result.metrics.items():
        for flag in metric.flags:
            print(f"{name}: {flag}")


def _cells(metric: MetricAudit) -> list[str]:
    from earwitness.board.cells import probability

    gap, ladder = metric.gap, metric.ladder
    gamed = [each.calibrated for each in metric.gaming.values() if each.calibrated is not None]
    return [
        _number(gap.mean if gap else None),
        probability(gap.p if gap else None),
        _number(ladder.means if ladder else None),
        _number(ladder.items if ladder else None),
        _number(metric.reliability),
        _number(metric.truth.value if metric.truth else None),
        _number(max(gamed) if gamed else None),
    ]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
