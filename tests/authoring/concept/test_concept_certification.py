"""Ceilings and certificate of the concept track on planted latents."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest

from concept_fakes import FakeConceptModel, fake_record, planted
from concept_scoring_fakes import estimators, holding, task
from earwitness.authoring import certify, cross_fitting
from earwitness.authoring.concept import ceiling, certification
from earwitness.authoring.concept.ceiling import candidates, chosen, of_classes, of_factors, of_lessons
from earwitness.errors import EarwitnessError
from earwitness.metrics.probing import sparse_probe_r2
from earwitness.plugins import Adapter
from earwitness.scoring import Setting, loading
from earwitness.scoring.certificates import read_certificate
from earwitness.scoring.concept.held_out import HeldOut
from earwitness.scoring.concept.scoring import open_scoring
from earwitness.tracks.concept import ConceptItem, Dictionaries

CARDS = [
    {"metric": "sparse_probe_r2", "parameters": {"factor": "loudness", "k": 1}},
    {"metric": "fvu"},
    {"metric": "dead"},
    {"metric": "l0"},
    {"metric": "steer", "parameters": {"factor": "loudness"}},
]


@pytest.fixture
def model() -> FakeConceptModel:
    return FakeConceptModel()


@pytest.fixture
def dataset(monkeypatch: pytest.MonkeyPatch, model: FakeConceptModel) -> SimpleNamespace:
    found = SimpleNamespace(MADE=True, ESTIMATORS=estimators(model, planted(model.width)))
    adapter = Adapter("stems", "concept_fakes", list, found)
    monkeypatch.setattr(ceiling, "LESSONS", 5)
    monkeypatch.setattr(loading, "load_model", lambda task, device: model)
    monkeypatch.setattr(loading, "adapter", lambda package, name, task: adapter)
    monkeypatch.setattr(certification, "adapter", lambda package, name, task: adapter)

    def records(setting: Setting) -> list:
        first = 10 * (setting.fresh or 0)
        return [fake_record(model, first + index, f"{first + index}") for index in range(2)]

    monkeypatch.setattr(loading, "load_records", records)
    return found


def test_ceilings_bracket_what_a_dictionary_of_the_planted_axes_reaches(
    tmp_path: Path, model: FakeConceptModel, dataset: SimpleNamespace
) -> None:
    some = task(tmp_path / "task", CARDS)
    certify(some)
    rows = pq.read_table(tmp_path / "task" / "truth" / "ceiling.parquet").to_pylist()
    ends = {(r["kind"], r["metric"], r["item"]): r["value"] for r in rows}
    assert not any(metric == "l0" for _, metric, _ in ends)
    scoring = open_scoring(Setting(some, cache=tmp_path / "cache"))
    own = holding(planted(model.width))
    for item in scoring.items()[0]:
        for value in scoring.score([(item, Dictionaries((own, own)))])[0]:
            if value.metric == "l0":
                continue
            best, worst = (ends[kind, value.metric, item.id] for kind in ("ceiling", "anti"))
            assert value.value is not None
            low, high = min(best, worst), max(best, worst)
            assert low - 0.05 <= value.value <= high + 0.05, value.metric
        assert ends["ceiling", "fvu", item.id] == pytest.approx(0, abs=1e-9)
        assert ends["anti", "dead", item.id] == 1.0
        assert ends["ceiling", "sparse_probe_r2@loudness+1", item.id] > 0.9


def test_factors_that_are_heard_are_certified_and_others_are_not_steered(
    tmp_path: Path, model: FakeConceptModel, dataset: SimpleNamespace
) -> None:
    steers = [{"metric": "steer", "parameters": {"factor": name}} for name in ("loudness", "brightness")]
    some = task(tmp_path / "task", steers)
    rng = np.random.default_rng(0)
    dataset.ESTIMATORS["brightness"] = lambda audio, rate: float(rng.normal())
    certify(some)
    roles = read_certificate(some)["roles"]
    assert {name: role["certified"] for name, role in roles.items()} == {
        "pitch": True,
        "loudness": True,
        "brightness": False,
    }
    assert roles["loudness"]["correlation"]["mean"] > 0.95
    scoring = open_scoring(Setting(some, cache=tmp_path / "cache"))
    item, own = scoring.items()[0][0], holding(planted(model.width))
    steered = {value.metric: value for value in scoring.score([(item, Dictionaries((own, own)))])[0]}
    assert steered["steer@loudness"].value is not None
    assert steered["steer@brightness"].value is None
    assert steered["steer@brightness"].reason == "not certified to be heard in decoded clips: brightness"


def test_a_certification_that_was_stopped_goes_on_to_the_same_rows(
    tmp_path: Path, model: FakeConceptModel, dataset: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, part = task(tmp_path / "whole", CARDS), task(tmp_path / "part", CARDS)
    certify(whole)
    asked = []
    ends = cross_fitting.ends

    def stopping(search, scoring, item, choices):  # type: ignore[no-untyped-def]
        asked.append(item.id)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return ends(search, scoring, item, choices)

    monkeypatch.setattr(cross_fitting, "ends", stopping)
    with pytest.raises(KeyboardInterrupt):
        certify(part)
    certify(part)
    assert asked == ["0", "1", "1"]
    one, other = (pq.read_table(tmp_path / name / "truth" / "ceiling.parquet") for name in ("whole", "part"))
    assert one.equals(other)


def test_a_dataset_that_is_no_made_world_cannot_be_certified(tmp_path: Path, dataset: SimpleNamespace) -> None:
    del dataset.MADE
    with pytest.raises(EarwitnessError, match="no made world"):
        certify(task(tmp_path / "task", CARDS))


def test_dictionaries_that_know_the_factors_hold_them(
    model: FakeConceptModel, dataset: SimpleNamespace, tmp_path: Path
) -> None:
    scoring = open_scoring(Setting(task(tmp_path / "task", CARDS), cache=tmp_path / "cache"))
    item = scoring.items()[0][0]
    known = scoring.originals.held_out(0, model)[item.id]
    mean = item.train.reshape(-1, model.width).mean(0, dtype=np.float64)
    means = known.latents.mean(1, dtype=np.float64)
    read = of_factors(item, known, mean).encode(means)
    for column, name in enumerate(known.names):
        if name != "pitch":  # which lies in directions, not along one
            assert np.corrcoef(read[:, column], known.test[:, column])[0, 1] > 0.95
    assert of_classes(item, known, mean).features > 20
    pairs = candidates(scoring, item)
    assert list(pairs) == ["latents", "factors", "classes", "lessons", "noise", "silence"]
    for name in pairs:
        chosen(scoring, item, name).check(item)


def test_lessons_find_a_factor_that_latents_hold_without_a_mean() -> None:
    rng = np.random.default_rng(0)
    angles = rng.uniform(0.2, np.pi / 2 - 0.2, 160)
    wave = rng.normal(size=(160, 40)) * rng.uniform(0.1, 1.0, (160, 1))
    latents = np.zeros((160, 40, 4))
    latents[..., 0], latents[..., 1] = wave * np.cos(angles)[:, None], wave * np.sin(angles)[:, None]
    latents += 0.01 * rng.normal(size=latents.shape)
    train, test = latents[:100].astype(np.float32), latents[100:].astype(np.float32)
    item = ConceptItem("x", "continuous", 25.0, (0, 1), train)
    known = HeldOut(("angle",), (), angles[:100, None], angles[100:, None], test)
    found, again, other = (of_lessons(item, known, seed) for seed in (0, 0, 1))
    told = {
        name: sparse_probe_r2(of(train).mean(1), angles[:100], of(test).mean(1), angles[100:], k=1)
        for name, of in (("raw", lambda given: given.astype(np.float64)), ("lessons", found.encode))
    }
    assert told["raw"] < 0.1
    assert told["lessons"] > 0.8
    np.testing.assert_array_equal(found.encoder, again.encoder)
    assert not np.array_equal(found.encoder, other.encoder)
    rebuilt = found.decode(found.encode(train.reshape(-1, 4)))
    assert np.square(rebuilt - train.reshape(-1, 4)).mean() < np.square(train).mean()
