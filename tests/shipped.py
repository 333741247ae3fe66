"""What ships with the micro tasks, as tests read it."""

import numpy as np
import pyarrow.parquet as pq

from earwitness import metrics
from earwitness.datasets import PromptRecord, scenes
from earwitness.stats.calibration import ceiling_gap
from earwitness.task import MetricCard, Task


def captions(task: Task) -> list[PromptRecord]:
    """The records of a task of the world of scenes."""
    card = task.card.dataset
    return scenes.load(split=card.split, items=card.items, seed=card.seed, **card.parameters)


def ends(task: Task, metric: str, kind: str) -> np.ndarray:
    """Values of one of a metric's stored ends by item, each the mean over generation seeds."""
    values: dict[str, list[float]] = {}
    for row in pq.read_table(task.folder / "truth" / "ceiling.parquet").to_pylist():
        if (row["kind"], row["metric"]) == (kind, metric):
            values.setdefault(row["item"], []).append(row["value"])
    return np.array([np.mean(values[item]) for item in sorted(values)])


def told_apart(task: Task, metric: MetricCard) -> bool:
    """Whether the ceiling of a metric is more faithful than its anti-oracle, by a paired test."""
    ceiling, anti = (ends(task, metric.id, kind) for kind in ("ceiling", "anti"))
    return ceiling_gap(ceiling, anti, np.arange(len(ceiling)), metrics.get(metric.metric).direction).informative
