"""What ships with the micro tasks, as tests read it."""

import numpy as np
import pyarrow.parquet as pq

from earwitness import metrics
from earwitness.stats.calibration import scale
from earwitness.stats.intervals import Interval, mean_interval
from earwitness.task import MetricCard, Task


def ends(task: Task, metric: str, kind: str) -> np.ndarray:
    """Values of one of a metric's stored ends by item, each the mean over generation seeds."""
    values: dict[str, list[float]] = {}
    for row in pq.read_table(task.folder / "truth" / "ceiling.parquet").to_pylist():
        if (row["kind"], row["metric"]) == (kind, metric):
            values.setdefault(row["item"], []).append(row["value"])
    return np.array([np.mean(values[item]) for item in sorted(values)])


def told_apart(task: Task, metric: MetricCard) -> bool:
    """Whether anti-oracle and ceiling of a metric have intervals that do not touch."""
    anti, ceiling = (_interval(ends(task, metric.id, kind)) for kind in ("anti", "ceiling"))
    return scale(anti, ceiling, metrics.get(metric.metric).direction).informative


def _interval(values: np.ndarray) -> Interval:
    return mean_interval(values, np.arange(len(values)))
