"""What the task's audit says of each metric, and what each entrant's values vary by, as tables of the board."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from earwitness.board.columns import number
from earwitness.stats.components import components

if TYPE_CHECKING:
    from earwitness.board.variants import MeasuredVariant
    from earwitness.results.audits import MetricAudit
    from earwitness.results.cube import Cube

Record = dict[str, Any]


def audit_records(measured: MeasuredVariant) -> list[Record]:
    """A record of each metric that the task's audit knows, in the card's order; none where no audit is used."""
    audit = measured.task.audit
    if audit is None:
        return []
    return [
        {"metric": facts.id, "items": audit.items, **_record(audit.metrics[facts.id])}
        for facts in measured.facts
        if facts.id in audit.metrics
    ]


def _record(audit: MetricAudit) -> Record:
    gap, ladder, shares, truth = audit.gap, audit.ladder, audit.shares, audit.truth
    return {
        "informative": audit.informative,
        "gap": gap.mean if gap else None,
        "gap_low": gap.low if gap else None,
        "gap_high": gap.high if gap else None,
        "p": gap.p if gap else None,
        "ladder": ladder.means if ladder else None,
        "ladder_items": ladder.items if ladder else None,
        "ladder_low": ladder.low if ladder else None,
        "ladder_high": ladder.high if ladder else None,
        "reliability": audit.reliability,
        "share_item": shares.item if shares else None,
        "share_generation": shares.generation if shares else None,
        "share_explainer": shares.explainer if shares else None,
        "truth": truth.value if truth else None,
        "truth_low": truth.low if truth else None,
        "truth_high": truth.high if truth else None,
        "survival": json.dumps({name: against.model_dump() for name, against in audit.survival.items()}),
        "gaming": json.dumps({name: gamed.model_dump() for name, gamed in audit.gaming.items()}),
        "flags": audit.flags,
    }


def variance_record(cube: Cube, entrant: int, metric: int) -> Record:
    """Shares of items, of generation seeds, of explainer seeds and of both seeds together in what an entrant's values
    of a metric vary by; None where there is one seed, or nothing varies.
    """
    found = components(cube.cells[entrant, :, :, :, metric])
    names = ("share_item", "share_generation", "share_explainer", "share_both")
    return {name: number(share) for name, share in zip(names, found.shares, strict=True)}
