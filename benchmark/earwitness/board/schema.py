"""Columns of the board's tables; every table but `rows` and `across` names the variant of the task it belongs to."""

from __future__ import annotations

import pyarrow as pa

TEXT, NUMBER, COUNT, FLAG = pa.string(), pa.float64(), pa.int64(), pa.bool_()


def _schema(**columns: pa.DataType) -> pa.Schema:
    return pa.schema([("task_key", TEXT), *columns.items()])


def _with_interval(name: str, prefix: str) -> dict[str, pa.DataType]:
    return {name: NUMBER, f"{prefix}low": NUMBER, f"{prefix}high": NUMBER}


RANK = {"rank": COUNT, "rank_low": COUNT, "rank_high": COUNT, "rank_group": COUNT, "first": NUMBER}
"""The place that a tie group shares, the range of ranks that are not ruled out, the group, the probability of being
first."""
COST = {"seconds": NUMBER, "forwards": NUMBER, "backwards": NUMBER, "peak_bytes": NUMBER}

MARKS = {"truth": "Truth", "anti": "Anti-oracle"}
"""Kinds of values stored with a task that are shown beside the entrants and calibrate nothing, with their titles."""
SCHEMAS: dict[str, pa.Schema] = {
    "tasks": _schema(
        task=TEXT,
        task_hash=TEXT,
        seed=COUNT,
        version=COUNT,
        title=TEXT,
        model=TEXT,
        track=TEXT,
        main_metric=TEXT,
        ranked_by=TEXT,
        headline=pa.list_(TEXT),
        items=COUNT,
        clusters=COUNT,
        ways=TEXT,
        rows=COUNT,
        floor=TEXT,
        level=NUMBER,
        draws=COUNT,
        note=TEXT,
        card=TEXT,
        certificate=TEXT,
        readme=TEXT,
    ),
    "metrics": _schema(
        position=COUNT,
        metric=TEXT,
        name=TEXT,
        parameters=TEXT,
        direction=TEXT,
        range_low=NUMBER,
        range_high=NUMBER,
        summary=TEXT,
        headline=FLAG,
        informative=FLAG,
        weight=NUMBER,
        share=NUMBER,
        items=COUNT,
        clusters=COUNT,
        **_with_interval("floor", "floor_"),
        **_with_interval("ceiling", "ceiling_"),
        **_with_interval("anti", "anti_"),
        **_with_interval("truth", "truth_"),
        **{f"{kind}_calibrated": NUMBER for kind in ("ceiling", "anti", "truth")},
    ),
    "results": _schema(
        entrant=TEXT,
        metric=TEXT,
        direction=TEXT,
        n=COUNT,
        failed=COUNT,
        defines=FLAG,
        **_with_interval("mean", ""),
        **_with_interval("calibrated", "calibrated_"),
        **{f"share_{name}": NUMBER for name in ("item", "generation", "explainer", "both")},
    ),
    "audits": _schema(
        metric=TEXT,
        items=COUNT,
        informative=FLAG,
        **_with_interval("gap", "gap_"),
        p=NUMBER,
        **_with_interval("ladder_items", "ladder_"),
        ladder=NUMBER,
        reliability=NUMBER,
        **{f"share_{name}": NUMBER for name in ("item", "generation", "explainer")},
        **_with_interval("truth", "truth_"),
        survival=TEXT,
        gaming=TEXT,
        flags=pa.list_(TEXT),
    ),
    "ranks": _schema(
        entrant=TEXT,
        **RANK,
        **_with_interval("score", "score_"),
        items=COUNT,
        failed=COUNT,
        note=TEXT,
        flag=TEXT,
        **COST,
    ),
    "changes": _schema(
        change=TEXT,
        metrics=TEXT,
        **_with_interval("tau", "tau_"),
        entrant=TEXT,
        rank_before=COUNT,
        **RANK,
        **_with_interval("score", "score_"),
    ),
    "exclusions": _schema(
        metric=TEXT,
        tau=NUMBER,
        entrant=TEXT,
        rank_before=COUNT,
        **RANK,
        **_with_interval("score", "score_"),
    ),
    "contrasts": _schema(
        control=TEXT,
        entrant=TEXT,
        metric=TEXT,
        verdict=TEXT,
        items=COUNT,
        clusters=COUNT,
        family=COUNT,
        **_with_interval("gain", ""),
        p=NUMBER,
        improvement=NUMBER,
        smallest=NUMBER,
        needed=NUMBER,
        margin=NUMBER,
    ),
    "submissions": _schema(
        entrant=TEXT,
        submission=TEXT,
        submission_hash=TEXT,
        title=TEXT,
        kind=TEXT,
        made_elsewhere=FLAG,
        card=TEXT,
        readme=TEXT,
    ),
    "budgets": _schema(
        entrant=TEXT,
        parameter=TEXT,
        budget=COUNT,
        own=FLAG,
        submission=TEXT,
        submission_hash=TEXT,
        passes=NUMBER,
        seconds=NUMBER,
        **_with_interval("score", "score_"),
        convergence=NUMBER,
        items=COUNT,
        front=FLAG,
        front_seconds=FLAG,
        note=TEXT,
    ),
    "curve_results": _schema(
        entrant=TEXT,
        budget=COUNT,
        own=FLAG,
        metric=TEXT,
        **_with_interval("mean", ""),
        **_with_interval("calibrated", "calibrated_"),
    ),
    "sanity": _schema(
        entrant=TEXT,
        position=COUNT,
        check=TEXT,
        share=NUMBER,
        agreement=NUMBER,
        itself=NUMBER,
        back=NUMBER,
        p=NUMBER,
        items=COUNT,
        entropy=NUMBER,
        rise_p=NUMBER,
        gini=NUMBER,
        flag=TEXT,
        skipped=TEXT,
    ),
    "inputs": _schema(
        item=TEXT,
        cluster=TEXT,
        fields=TEXT,
        arrays=TEXT,
        seconds=NUMBER,
        problem=TEXT,
    ),
    "items": _schema(
        entrant=TEXT,
        item=TEXT,
        status=TEXT,
        reason=TEXT,
        **COST,
        plausible_forwards=NUMBER,
        run=TEXT,
        explanation=TEXT,
    ),
    "exhibits": _schema(entrant=TEXT, item=TEXT, kind=TEXT, label=TEXT, part=TEXT, path=TEXT, position=COUNT),
    "item_values": _schema(entrant=TEXT, item=TEXT, metric=TEXT, value=NUMBER, failed=FLAG),
    "across": pa.schema(
        {
            "track": TEXT,
            "submission": TEXT,
            **_with_interval("win_rate", ""),
            "tasks": COUNT,
            "most": COUNT,
            "names": pa.list_(TEXT),
        }
    ),
    "runs": _schema(entrant=TEXT, run=TEXT, folder=TEXT, rows=COUNT, fingerprint=TEXT, isolation=TEXT, recipe=TEXT),
}
