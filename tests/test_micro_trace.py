"""What ships with the task of traced generations: the band model's latents, factors that are heard, ends in order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from earwitness import registry
from earwitness.metrics.tracing import settling
from earwitness.scoring import Setting, loading
from earwitness.scoring.certificates import read_certificate
from earwitness.scoring.concept.scoring import open_scoring
from earwitness.task import Task
from shipped import ends, told_apart

STUDY = {"train": 24, "test": 8, "traced": 4}


@pytest.fixture
def task() -> Task:
    return registry.task("micro_trace")


def test_the_model_is_the_band_tasks_in_its_own_steps_and_guidance(task: Task) -> None:
    band = registry.task("micro_band")
    assert Path(task.source(task.card.model.source)).resolve() == (band.folder / "model").resolve()
    own = band.card.model.parameters
    assert task.card.model.parameters == {name: own[name] for name in ("steps", "guidance")}


def test_every_factor_is_certified_to_be_heard(task: Task) -> None:
    roles = read_certificate(task)["roles"]
    assert set(roles) == {"loudness", "brightness", "low_share"}
    assert all(role["certified"] for role in roles.values())


def test_ceiling_and_anti_oracle_are_told_apart_on_every_headline_metric(task: Task) -> None:
    headline = [metric for metric in task.card.metrics if metric.headline]
    assert headline
    for metric in headline:
        assert len(ends(task, metric.id, "ceiling")) == task.card.dataset.items
        assert told_apart(task, metric)


@pytest.mark.slow
def test_what_is_heard_settles_along_the_steps(task: Task, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A study of few clips by the shipped model: sounds take shape, and more in the first half of the steps."""
    load_records = loading.load_records

    def fewer(setting: Setting) -> list:
        card = setting.task.card
        small = card.dataset.model_copy(update={"items": 1, "parameters": STUDY})
        monkeypatch.setattr(setting.task, "card", card.model_copy(update={"dataset": small}))
        return load_records(setting)

    monkeypatch.setattr(loading, "load_records", fewer)
    scoring = open_scoring(Setting(task, cache=tmp_path))
    (item,) = scoring.items()[0]
    known = scoring.originals.held_out(0, scoring.model)[item.id]
    heard = scoring.tracing.heard(item.id, known)
    assert np.isfinite(heard).all()
    for column in range(len(known.names)):
        curve = settling(heard[:, :, column])
        assert curve[len(curve) // 2 :].max() < 0.5
        assert curve[len(curve) // 2 :].mean() < curve[: len(curve) // 2].mean()
