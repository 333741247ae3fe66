"""What ships with the concept track's micro tasks: a codec that is shared, factors that are heard, ends in order."""

from pathlib import Path

import numpy as np
import pytest

from earwitness import registry
from earwitness.authoring.training.oobleck import measure
from earwitness.datasets import tones
from earwitness.metrics.responses.concept import FactorResponse
from earwitness.scoring import Setting
from earwitness.scoring.certificates import read_certificate
from earwitness.scoring.columns import of_response
from earwitness.scoring.concept.scoring import open_scoring
from earwitness.scoring.loading import load_model, load_records
from earwitness.task import Task
from earwitness.tracks.concept import Kind
from earwitness.worlds.tones import render, tone
from shipped import ends, told_apart

CODEC, QUANTISED, OOBLECK = map(registry.task, ("micro_concept", "micro_concept_quantised", "micro_oobleck"))
TASKS = [CODEC, QUANTISED, OOBLECK]
LATENTS = {CODEC.id: (48, 25), QUANTISED.id: (48, 25), OOBLECK.id: (16, 200)}
"""Latents of a frame, and frames a second."""
KILOBYTES = 64
MODEL_KILOBYTES = 512
DULL = {"micro_oobleck": {"steer@loudness+4", "steer@brightness+4"}}
"""Headline metrics of which the dictionaries that were best and worst on fresh studies are not told apart on the task's
own: what they differed by was noise, and the audit calls them uninformative."""
COMES_BACK, SILENCE = 6.0, 20.0
"""dB that decoded clips lie from their originals where these are heard, at most, and that silence lies from them."""


@pytest.fixture(params=TASKS, ids=[task.id for task in TASKS])
def task(request: pytest.FixtureRequest) -> Task:
    found: Task = request.param
    return found


@pytest.mark.parametrize("task", [CODEC, QUANTISED], ids=["continuous", "quantised"])
def test_the_codec_is_the_prompt_tracks_and_nothing_is_copied(task: Task) -> None:
    assert Path(task.source(task.card.model.source)).resolve() == registry.task("micro_prompt").folder / "model"
    assert sum(path.stat().st_size for path in task.folder.rglob("*") if path.is_file()) <= KILOBYTES * 2**10


def test_held_out_clips_come_back_from_the_small_autoencoder() -> None:
    model = OOBLECK.folder / "model"
    assert sum(path.stat().st_size for path in model.iterdir()) <= MODEL_KILOBYTES * 2**10
    found = measure(model, np.stack([render(tone("test", index)) for index in range(20)]))
    assert found["decoded_decibels"] <= COMES_BACK
    assert found["silence_decibels"] > SILENCE
    assert found["signal_to_noise"] > 0


def test_items_are_of_the_kind_of_latents_that_the_task_names(task: Task) -> None:
    model = load_model(task, "cpu")
    assert model.kind is (Kind.QUANTISED if task.id.endswith("quantised") else Kind.CONTINUOUS)
    assert (model.width, model.frame_rate) == LATENTS[task.id]


def test_every_sixth_study_has_correlated_training_clips(task: Task) -> None:
    records = load_records(Setting(task))
    assert [bool(record.correlated) for record in records] == [False, False, False, False, False, True] * 11
    clips = 200 if task == OOBLECK else 400
    assert {len(values) for values in records[0].train.factors.values()} == {clips}
    assert {len(values) for values in records[0].test.factors.values()} == {100}


def test_every_metric_of_the_card_names_a_factor_of_the_world(task: Task, tmp_path: Path) -> None:
    columns = of_response(open_scoring(Setting(task, items=1, cache=tmp_path)).metrics, FactorResponse)
    assert {column.response.factor for column in columns} == {*tones.EXPLAINED, "every"}


def test_every_factor_of_the_continuous_task_is_certified_to_be_heard() -> None:
    roles = read_certificate(TASKS[0])["roles"]
    assert {name: role["certified"] for name, role in roles.items()} == dict.fromkeys(tones.EXPLAINED, True)


def test_ceiling_and_anti_oracle_are_told_apart_on_headline_metrics(task: Task) -> None:
    for metric in [metric for metric in task.card.metrics if metric.headline]:
        ceiling = ends(task, metric.id, "ceiling")
        if metric.metric == "steer" and not len(ceiling):
            assert not all(role["certified"] for role in read_certificate(task)["roles"].values())
            continue
        assert len(ceiling) == task.card.dataset.items * 5 // 6
        assert told_apart(task, metric) is (metric.id not in DULL.get(task.id, ()))
