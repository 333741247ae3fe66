"""Traces of planted latents: generations that go straight from other latents to their end."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from concept_fakes import FakeConceptModel, fake_record, planted
from concept_scoring_fakes import dataset, estimators, raw, task, untrained
from earwitness.authoring import certificates, cross_fitting
from earwitness.authoring.concept import ceiling
from earwitness.authoring.concept.ceiling import SEARCH, of_traces
from earwitness.errors import ModelError
from earwitness.exhibits.concept import traces
from earwitness.metrics.tracing import settling, trace_error
from earwitness.results.rows import Status
from earwitness.scoring import Setting, loading
from earwitness.scoring.concept import tracing
from earwitness.scoring.concept.features import Features
from earwitness.scoring.concept.scoring import ConceptScoring, open_scoring
from earwitness.task import Task
from earwitness.tracks.concept import Activation, Dictionaries, Dictionary

PROMPTS = ("one", "two", "three")
WAY = np.array([1.0, 0.5, 0.2, 0.0])
"""How far each step is from the end."""
METRICS = [
    {"metric": "trace", "parameters": {"factor": "loudness"}},
    {"metric": "trace_error", "parameters": {"factor": "loudness"}},
    {"metric": "trace_error"},
]


class FakeDiffusion(FakeConceptModel):
    """Its generations are planted latents, reached in four steps from other planted latents."""

    def trajectories(self, prompts: Sequence[str], seeds: Sequence[int]) -> torch.Tensor:
        ends = [planted(self.width, 2, seed=seed % 1000).latents for seed in seeds]
        self.asked = (tuple(prompts), tuple(seeds))
        return torch.from_numpy(np.stack([one + WAY[:, None, None] * (other - one) for one, other in ends])).float()


@pytest.fixture
def model() -> FakeDiffusion:
    return FakeDiffusion()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model: FakeDiffusion) -> Callable[..., ConceptScoring]:
    def open_with(
        metrics: Any = None, prompts: tuple[str, ...] = PROMPTS, used: Any = None, heard: Any = None
    ) -> ConceptScoring:
        own = estimators(model, planted(model.width)) if heard is None else heard
        monkeypatch.setattr(loading, "load_model", lambda task, device: used or model)
        monkeypatch.setattr(loading, "adapter", lambda package, name, task: dataset(ESTIMATORS=own))
        record = replace(fake_record(model, 0, "plain"), prompts=prompts)
        monkeypatch.setattr(loading, "load_records", lambda setting: [record])
        made: Task = task(tmp_path / "task", metrics or METRICS)
        return open_scoring(Setting(made, cache=tmp_path / "cache"))

    return open_with


def features_of(scoring: ConceptScoring, dictionary: Dictionary) -> Features:
    item = scoring.items()[0][0]
    return Features(item, scoring.originals.held_out(0, scoring.model)["plain"], dictionary)


def known_of(scoring: ConceptScoring) -> Any:
    return scoring.originals.held_out(0, scoring.model)["plain"]


def values(scoring: ConceptScoring, dictionary: Dictionary) -> list[Any]:
    return scoring.score([(scoring.items()[0][0], Dictionaries((dictionary, dictionary)))])[0]


def test_each_prompt_is_traced_once_from_a_seed_of_its_own(opened: Any, model: FakeDiffusion) -> None:
    scoring = opened()
    known = known_of(scoring)
    assert known.traced.shape == (3, 4, 20, 16)
    prompts, seeds = model.asked
    assert prompts == PROMPTS
    assert len(set(seeds)) == 3
    # Read from the disk, not made again.
    again = opened()
    again.model.trajectories = None
    assert np.array_equal(known_of(again).traced, known.traced)


def test_a_probe_of_latents_that_go_straight_settles_as_they_do(opened: Any, model: FakeDiffusion) -> None:
    told = tracing.traced_probe(features_of(scoring := opened(), raw(model.width)), known_of(scoring), 1)
    assert told.shape == (3, 4)
    np.testing.assert_allclose(settling(told), WAY, atol=1e-9)


def test_the_sounds_of_each_step_are_estimated_once(opened: Any, model: FakeDiffusion) -> None:
    scoring = opened()
    known = known_of(scoring)
    heard = scoring.tracing.heard("plain", known)
    loudness = scoring.steering.estimators["loudness"]
    decoded = model.decode(torch.from_numpy(known.traced[1])).numpy()
    assert heard[1, :, known.column("loudness")].tolist() == [loudness(sound, model.sample_rate) for sound in decoded]
    silent = {name: lambda sound, rate: pytest.fail("estimated again") for name in known.names}
    again = tracing.Tracing(model, silent, scoring.originals.folder)
    assert np.array_equal(again.heard("plain", known), heard)


def test_steps_are_decoded_in_bounded_batches(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    scoring = opened()
    known, sizes = known_of(scoring), []
    decode = scoring.model.decode

    def counted(latents: torch.Tensor) -> torch.Tensor:
        sizes.append(len(latents))
        return decode(latents)

    monkeypatch.setattr(scoring.model, "decode", counted)
    monkeypatch.setattr(tracing, "BATCH", 5)
    scoring.tracing.heard("plain", known)
    assert sizes == [5, 5, 2]


def test_a_dictionary_that_holds_the_factor_tells_when_it_settles_and_one_that_never_fires_does_not(
    opened: Any, model: FakeDiffusion
) -> None:
    scoring = opened()
    trace, error, every = values(scoring, raw(model.width))
    assert trace.value == pytest.approx(WAY.mean())
    assert error.value == pytest.approx(0, abs=1e-6)
    assert every.status == Status.OK
    deaf = Dictionary(np.eye(16), np.full(16, -1e6), np.eye(16), np.zeros(16), Activation.RELU)
    trace, error, _ = values(scoring, deaf)
    assert (trace.status, trace.reason) == (Status.SKIPPED, "the factor does not move from the first step to the last")
    # As if it had settled at once.
    assert error.value == pytest.approx(WAY.mean())
    assert 0 < values(scoring, untrained(16, 64, 3))[1].value < error.value


def test_an_item_without_prompts_skips_its_traces_in_one_line(opened: Any, model: FakeDiffusion) -> None:
    scoring = opened(prompts=())
    assert known_of(scoring).traced is None
    for value in values(scoring, raw(model.width)):
        assert (value.status, value.reason) == (Status.SKIPPED, "no prompt of this item is traced")


def test_a_model_without_diffusion_is_refused_in_one_line(opened: Any) -> None:
    scoring = opened(used=FakeConceptModel())
    with pytest.raises(ModelError, match="plain has prompts to trace, and the task's model has no diffusion") as caught:
        scoring.items()
    assert "\n" not in str(caught.value)


def test_a_factor_that_is_not_heard_in_decoded_clips_has_no_error(
    opened: Any, model: FakeDiffusion, monkeypatch: pytest.MonkeyPatch
) -> None:
    scoring = opened()
    roles = {name: {"certified": name != "loudness"} for name in ("pitch", "loudness", "brightness")}
    certificates.write_certificate(scoring.setting.task, {"task": scoring.setting.task.seed_key, "roles": roles})
    trace, error, _ = values(scoring, raw(model.width))
    assert trace.status == Status.OK
    assert (error.status, error.reason) == (Status.SKIPPED, "not certified to be heard in decoded clips: loudness")


def test_a_factor_without_an_estimator_has_no_error(opened: Any, model: FakeDiffusion) -> None:
    error = values(opened(heard={}), raw(model.width))[1]
    assert (error.status, error.reason) == (
        Status.SKIPPED,
        "the factor is told in only 0 of 3 traced clips at some step",
    )


def test_curves_are_left_for_the_page(opened: Any, model: FakeDiffusion, tmp_path: Path) -> None:
    scoring = opened()
    known = known_of(scoring)
    found = traces(scoring.tracing, features_of(scoring, raw(model.width)), known)
    assert set(found) == set(known.names)
    np.testing.assert_allclose(found["loudness"]["probe"], WAY, atol=1e-9)
    np.testing.assert_allclose(found["loudness"]["sound"], WAY, atol=1e-5)
    scoring.score([(scoring.items()[0][0], Dictionaries((raw(16), raw(16))))], tmp_path / "exhibits")
    written = json.loads((tmp_path / "exhibits" / "plain.trace-brightness.json").read_text())
    assert written["x"]["values"] == list(range(1, len(WAY) + 1))
    assert written["lines"]["heard in the sound"] == pytest.approx(WAY, abs=1e-4)


def test_what_moves_nowhere_or_has_no_estimator_has_no_curve(opened: Any, model: FakeDiffusion) -> None:
    scoring = opened(heard={"loudness": lambda sound, rate: 3.0})
    found = traces(scoring.tracing, features_of(scoring, raw(model.width)), known_of(scoring))
    assert np.isnan(found["loudness"]["sound"]).all()
    np.testing.assert_allclose(found["loudness"]["probe"], WAY, atol=1e-9)
    assert np.isnan(found["pitch"]["sound"]).all()
    assert np.isfinite(found["pitch"]["probe"]).all()


def test_the_ceiling_of_the_error_is_below_its_worst(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ceiling, "LESSONS", 5)
    scoring = opened()
    (item, *_), _ = scoring.items()
    choices = cross_fitting.choose(cross_fitting.trial(SEARCH, scoring, item), scoring.metrics)
    rows = cross_fitting.ends(SEARCH, scoring, item, choices)
    found = {row["kind"]: row["value"] for row in rows if row["metric"] == "trace_error@loudness"}
    assert not [row for row in rows if row["metric"].startswith("trace@")]
    best, worst = sorted(found.values())
    assert best == pytest.approx(0, abs=1e-3)
    assert worst == pytest.approx(WAY.mean(), abs=1e-6)


def test_a_dictionary_that_knows_what_is_heard_tells_it_where_training_clips_do_not(
    opened: Any, model: FakeDiffusion
) -> None:
    """Factors of the training clips are noisy, and the steps move far along what a probe of them reads wrongly."""
    scoring = opened()
    known, item = known_of(scoring), scoring.items()[0][0]
    axes, rng = planted(model.width).axes, np.random.default_rng(0)
    away = rng.normal(size=(3, 1, 1, model.width))
    away -= away @ axes[:1].T @ axes[:1]
    traced = (known.traced + 6 * np.array([0.0, 1.0, 1.0, 0.0])[:, None, None] * away).astype(np.float32)
    noisy = known.train + 1.5 * known.train.std(0) * rng.normal(size=known.train.shape)
    heard = np.stack([5 * traced.mean(2) @ axes[0]] * 3, 2)
    heard[0, 1, 0] = np.nan
    moved = replace(known, traced=traced, train=noisy)

    def error(dictionary: Dictionary) -> float:
        column = known.column("loudness")
        return trace_error(tracing.traced_probe(Features(item, moved, dictionary), moved, column), heard[:, :, column])

    informed = of_traces(item, moved, traced, heard)
    assert informed.features == 3
    assert error(informed) < 0.7 * error(raw(model.width))
