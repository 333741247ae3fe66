"""Rows of a submission on a task with planted values, for the gate."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from earwitness.results import rows
from earwitness.results.rows import Row, Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

ROW = Row(
    submission="mine", submission_hash="s1", task="planted", task_version=1, task_hash="h1", metric="fid_cf@top30",
    item="i0000", cluster="c0000", generation_seed=0, explainer_seed=0, value=0.5, status=Status.OK, reason="",
    seconds=1.5, forwards=3, backwards=2, peak_bytes=1024, isolation="process", run="r",
)  # fmt: skip


def records(values: Mapping[str, Sequence[float | None]], cluster_size: int = 1, **changes: Any) -> list[Row]:
    """A row for each value [items] of each metric; None is an item on which the explainer failed."""
    return [
        replace(
            ROW,
            metric=metric,
            item=f"i{number:04d}",
            cluster=f"c{number // cluster_size:04d}",
            value=None if value is None else float(value),
            status=Status.OK if value is not None else Status.FAILED,
            reason="" if value is not None else "the explainer raised ValueError: planted",
            **changes,
        )
        for metric, column in values.items()
        for number, value in enumerate(column)
    ]


def table(values: Mapping[str, Sequence[float | None]], cluster_size: int = 1, **changes: Any) -> pa.Table:
    """The records as a table."""
    return rows.table(records(values, cluster_size, **changes))


def recipe(some: pa.Table, **fields: Any) -> dict[str, Any]:
    """The recipe of a done run of these rows."""
    return {"state": "done", "rows": {"number": len(some), "fingerprint": rows.fingerprint(some)}, **fields}


def scores(items: int = 200, seed: int = 0) -> np.ndarray:
    """[items] values between 0 and 1 with mean 0.5 and standard deviation 0.22."""
    return np.random.default_rng(seed).beta(2, 2, items)
