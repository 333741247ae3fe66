"""The audits of the shipped tasks, docs/audits.md, as they are stored: `python -m earwitness.board.audit_page`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from earwitness import metrics, registry
from earwitness.board.cells import probability, short, value
from earwitness.results.audits import read_audit

if TYPE_CHECKING:
    from earwitness.results.audits import Against, Audit, MetricAudit
    from earwitness.task import Task

HEAD = """# Audits

What `earwitness audit` found out about the metrics of each shipped task;
[reading the board](reading.md#which-metric-should-i-trust) says what was asked. Headline metrics are bold. *Gap* is the
ceiling less random weights, in the metric's own units, with its interval and one-sided p. *Shares* are of the variance
of a single value of the random explainer: item / generation seed / explainer seed. Numbers in round brackets are where
an agreement lies by chance. Made of what is stored by `python -m earwitness.board.audit_page`.
"""
COLUMNS = (
    *("metric", "gap", "p", "forms, means", "forms, items", "reliability", "shares", "truth", "under changes"),
    *("gamed", "against it"),
)


def page() -> str:
    """The page: a section a task that is audited, a row a metric that has a direction."""
    audited = [(task, read_audit(task.folder / "truth")) for task in map(registry.task, registry.task_ids())]
    return "\n".join([HEAD, *(section(task, audit) for task, audit in audited if audit is not None)])


def section(task: Task, audit: Audit) -> str:
    """A task's table, in the order of its card; of a former version of the task, in the audit's own."""
    headline, now = [card.id for card in task.card.metrics if card.headline], audit.data_hash == task.data_hash
    names = [card.id for card in task.card.metrics if card.id in audit.metrics] if now else list(audit.metrics)
    directed = [name for name in names if (spec := metrics.find(name)) is not None and spec.direction != "none"]
    rows = [row(name, name in headline, audit.metrics[name]) for name in directed]
    lines = [f"| {' | '.join(cells)} |" for cells in (COLUMNS, ("---",) * len(COLUMNS), *rows)]
    version = (
        f"Version {task.card.version}" if now else f"A version before {task.card.version}, of other items or weights"
    )
    about = f"{version}, {audit.items} items."
    if audit.weights is not None:
        told = ", ".join(f"`{name}` {short(weight)}" for name, weight in audit.weights.headline.items())
        found = f"{len(audit.weights.entrants)} entrants on {audit.weights.items} items"
        about += f" Weights in the score, from {found}: {told}."
    return "\n".join([f"## {task.id}", "", about, "", *lines, ""])


def row(name: str, headline: bool, found: MetricAudit) -> tuple[str, ...]:
    """A metric's cells, one for each of `COLUMNS`."""
    gap, ladder, shares = found.gap, found.ladder, found.shares
    tried = found.gaming if found.informative else {}  # no way to a ceiling that is not told, and no share of it
    gamed = {blind: each.calibrated for blind, each in tried.items() if each.calibrated is not None}
    most = max(gamed, key=gamed.__getitem__, default=None)
    return (
        f"**`{name}`**" if headline else f"`{name}`",
        "-" if gap is None else value(gap.model_dump(), "mean", ""),
        "-" if gap is None else probability(gap.p),
        "-" if ladder is None else short(ladder.means),
        "-" if ladder is None else value(ladder.model_dump(), "items", ""),
        short(found.reliability),
        "-" if shares is None else " / ".join(map(short, (shares.item, shares.generation, shares.explainer))),
        "-" if found.truth is None else _against(found.truth),
        "; ".join(f"{change} {_against(each)}" for change, each in found.survival.items()) or "-",
        "-" if most is None else f"{short(gamed[most])} {most}",
        ", ".join(dict.fromkeys(flag.partition(":")[0] for flag in found.flags)) or "-",
    )


def _against(found: Against) -> str:
    return (
        short(found.value) if found.low is None else f"{short(found.value)} ({short(found.low)} to {short(found.high)})"
    )


if __name__ == "__main__":
    print(page(), end="")
