"""What ships with micro_prompt: weights within their size, certified truth, and a ceiling above the anti-oracle."""

import json
from pathlib import Path

import pytest

from earwitness import registry
from earwitness.task import MetricCard
from shipped import ends, told_apart

TASK = registry.task("micro_prompt")
TRUTH = TASK.folder / "truth"
HEADLINE = [metric for metric in TASK.card.metrics if metric.headline]
MEGABYTES = 25


def test_what_ships_is_within_its_size() -> None:
    assert sum(path.stat().st_size for path in TASK.data_files()) < MEGABYTES * 2**20


@pytest.mark.parametrize("metric", HEADLINE, ids=lambda metric: metric.id)
def test_the_ceiling_is_told_apart_from_the_anti_oracle_on_every_headline_metric(metric: MetricCard) -> None:
    for kind in ("anti", "ceiling"):
        assert len(ends(TASK, metric.id, kind)) == TASK.card.dataset.items
    assert told_apart(TASK, metric)


def test_truth_that_metrics_read_is_certified() -> None:
    certificate = json.loads(Path(TRUTH / "certificate.json").read_text(encoding="utf-8"))
    roles = certificate["roles"]
    assert roles["class"]["certified"]
    assert roles["loudness"]["certified"]
    assert not roles["order"]["certified"]
    assert "interval_top1" not in {metric.metric for metric in TASK.card.metrics}
