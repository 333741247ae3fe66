"""What ships with micro_prompt: weights within their size, certified truth, and a ceiling above the anti-oracle."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from earwitness import metrics, registry
from earwitness.stats.calibration import scale
from earwitness.stats.intervals import mean_interval
from earwitness.task import MetricCard

TASK = registry.task("micro_prompt")
TRUTH = TASK.folder / "truth"
HEADLINE = [metric for metric in TASK.card.metrics if metric.headline]
MEGABYTES = 25


def test_what_ships_is_within_its_size() -> None:
    assert sum(path.stat().st_size for path in TASK.data_files()) < MEGABYTES * 2**20


def known(kind: str, metric: str) -> np.ndarray:
    rows = pq.read_table(TRUTH / "ceiling.parquet").to_pylist()
    values = {row["item"]: row["value"] for row in rows if (row["kind"], row["metric"]) == (kind, metric)}
    return np.array([values[item] for item in sorted(values)])


@pytest.mark.parametrize("metric", HEADLINE, ids=lambda metric: metric.id)
def test_the_ceiling_is_told_apart_from_the_anti_oracle_on_every_headline_metric(metric: MetricCard) -> None:
    ends = [known(kind, metric.id) for kind in ("anti", "ceiling")]
    assert len(ends[0]) == len(ends[1]) == TASK.card.dataset.items
    floor, ceiling = (mean_interval(values, np.arange(len(values))) for values in ends)
    assert scale(floor, ceiling, metrics.get(metric.metric).direction).informative


def test_truth_that_metrics_read_is_certified() -> None:
    certificate = json.loads(Path(TRUTH / "certificate.json").read_text(encoding="utf-8"))
    roles = certificate["roles"]
    assert roles["class"]["certified"]
    assert roles["loudness"]["certified"]
    assert not roles["order"]["certified"]
    assert "interval_top1" not in {metric.metric for metric in TASK.card.metrics}
