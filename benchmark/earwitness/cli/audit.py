"""`earwitness audit`: which metrics of a task can be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from earwitness.cli.output import Json, print_json, print_table
from earwitness.errors import EarwitnessError

if TYPE_CHECKING:
    from earwitness.results.audits import Audit, MetricAudit

MOST_ITEMS = 10**6


class UninformativeError(EarwitnessError):
    """A headline metric of a card tells nothing on its task."""

    exit_code = 1


def audit(
    task: Annotated[str, typer.Argument(metavar="TASK", help="Id or folder of a task.")],
    items: Annotated[
        int | None, typer.Option(min=2, max=MOST_ITEMS, metavar="N", help="The first N items; 40 by default.")
    ] = None,
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Where models run.")] = "auto",
    json: Json = False,
) -> None:
    """Find out which metrics of a task can be trusted, and store that with the task; the same command resumes."""
    from earwitness import registry
    from earwitness.authoring.audit import ITEMS
    from earwitness.authoring.audit import audit as audit_task
    from earwitness.box import devices

    devices.require(device)
    found = registry.task(task)
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


def show(result: Audit) -> None:
    """Print an audit as a table, and what speaks against each metric below it."""
    columns = ["metric", "gap", "p", "ladder", "per item", "reliable", "truth", "gamed"]
    records = [[name, *_cells(metric)] for name, metric in result.metrics.items()]
    print_table(f"audit of {result.task}, {result.items} items", columns, records)
    for name, metric in result.metrics.items():
        for flag in metric.flags:
            print(f"{name}: {flag}")


def _cells(metric: MetricAudit) -> list[str]:
    gap, ladder = metric.gap, metric.ladder
    gamed = [each.calibrated for each in metric.gaming.values() if each.calibrated is not None]
    return [
        _number(gap.mean if gap else None),
        "" if gap is None else f"{gap.p:.3f}",
        _number(ladder.means if ladder else None),
        _number(ladder.items if ladder else None),
        _number(metric.reliability),
        _number(metric.truth.value if metric.truth else None),
        _number(max(gamed) if gamed else None),
    ]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
