"""Which entrants are shown, by what the board holds of them: kind, access to the model, cost, isolation and sanity."""

from __future__ import annotations

import streamlit as st
from reading import Record
from state import pick

ALL = "all"
COSTS = ("0.01", "0.1", "1", "10", "60")
"""CPU seconds an item, at most."""
SANE, FLAGGED = "nothing against", "flagged"


def filtered(found: list[Record]) -> list[Record]:
    """Those of some entrants, with traits of the board, that are asked for; the choice stands in the address."""
    kinds = sorted({record["kind"] for record in found})
    accesses = sorted({record["access"] for record in found} - {""})
    isolations = sorted({level for record in found for level in record["isolation"] or ()})
    seen = [record["seconds"] for record in found if record["seconds"] is not None]
    costs = [cost for cost in COSTS if min(seen, default=0.0) <= float(cost) < max(seen, default=0.0)]
    flags = [SANE, FLAGGED] if len({bool(record["flags"]) for record in found}) > 1 else []
    boxes = [
        ("Kind", kinds if len(kinds) > 1 else [], "kind"),
        ("Access, as its card says", accesses, "access"),
        ("CPU seconds an item, at most", costs, "most"),
        ("Isolation", isolations if len(isolations) > 1 else [], "isolation"),
        ("Sanity", flags, "sanity"),
    ]
    shown = [box for box in boxes if box[1]]
    if not shown:
        return found
    chosen = {}
    for column, (label, options, key) in zip(st.columns(len(shown)), shown, strict=True):
        with column:
            chosen[key] = pick(label, [ALL, *options], key, ALL)
    return [record for record in found if _wanted(record, {k: v for k, v in chosen.items() if v != ALL})]


def _wanted(record: Record, chosen: dict[str, str]) -> bool:
    cost = record["seconds"]
    return (
        record["kind"] == chosen.get("kind", record["kind"])
        and record["access"] == chosen.get("access", record["access"])
        and ("most" not in chosen or (cost is not None and cost <= float(chosen["most"])))
        and ("isolation" not in chosen or chosen["isolation"] in (record["isolation"] or ()))
        and ("sanity" not in chosen or bool(record["flags"]) == (chosen["sanity"] == FLAGGED))
    )
