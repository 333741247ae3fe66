"""Certification of a speech task: what is stored, and that the ceilings are ends."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from earwitness import authoring
from earwitness.authoring import ceilings, cross_fitting, work
from earwitness.authoring.speech import certification as stage
from earwitness.authoring.speech import search
from earwitness.authoring.speech.search import ROUNDS, greedy
from earwitness.errors import EarwitnessError
from earwitness.metrics import get
from earwitness.scoring import Setting, certificates, loading
from earwitness.scoring.speech.scoring import open_scoring
from earwitness.task import Task
from earwitness.tracks.speech import SpeechMap
from speech_fakes import FakeSpeechModel
from speech_scoring_fakes import records, task

FEW = [
    {"metric": "deletion_wer"},
    {"metric": "deletion_token", "parameters": {"fill": "mean"}},
    {"metric": "deletion_prefix"},
    {"metric": "size_prefix"},
    {"metric": "interval_ap"},
    {"metric": "pointing", "parameters": {"level": "phoneme"}},
    {"metric": "prefix_ap"},
]


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> FakeSpeechModel:
    fake = FakeSpeechModel()
    made = records(4, fake)

    def load(setting: Setting) -> list[Any]:
        return made[:2] if setting.fresh is None else made[2:]

    monkeypatch.setattr(loading, "load_model", lambda task, device: fake)
    monkeypatch.setattr(loading, "load_records", load)
    spectrograms = [fake.features(record.audio(fake.sample_rate)) for record in made]
    monkeypatch.setattr(stage, "_spectrograms", lambda task, model: (spectrograms[:3], spectrograms[3:]))
    return fake


@pytest.fixture
def some(tmp_path: Path, model: FakeSpeechModel) -> Task:
    return task(tmp_path / "task", FEW, items=2)


def stored(some: Task) -> list[dict[str, Any]]:
    return list(pq.read_table(certificates.folder(some) / ceilings.CEILING).to_pylist())


def test_a_certified_task_has_training_speech_a_certificate_and_ends_of_every_metric(
    some: Task, tmp_path: Path
) -> None:
    stage.certify(some, progress=False)
    roles = certificates.read_certificate(some)["roles"]
    assert set(roles) == {"word", "prefix"}
    assert all(0 <= role["rate"] <= 1 for role in roles.values())
    certified = {level for level, role in roles.items() if role["certified"]}
    names = {row["metric"] for row in stored(some) if row["kind"] != "truth"}
    directed = {m["metric"] for m in FEW if get(m["metric"]).direction != "none"}
    known = {"interval_ap": "word", "pointing": "phoneme", "prefix_ap": "prefix"}
    expected = {name for name in directed if known.get(name, "") in {"", *certified}}
    assert {name.split("@")[0] for name in names} == expected
    assert not list(certificates.folder(some).glob(".*"))


def test_the_truth_itself_is_scored_beside_the_ends_where_it_is_known(some: Task) -> None:
    stage.certify(some, progress=False)
    told = defaultdict(dict)
    for row in stored(some):
        told[row["kind"]][row["metric"], row["item"]] = row["value"]
    known = {metric for metric, _ in told["truth"]}
    assert "deletion_token@mean" in known
    assert "deletion_prefix" not in known
    names = {(row["kind"], row["metric"]): row["choice"] for row in stored(some)}
    assert {name for (kind, _), name in names.items() if kind == "truth"} == {"word"}
    for key, value in told["truth"].items():
        if names["ceiling", key[0]] == "word":
            assert told["ceiling"][key] == value


def test_no_random_map_lies_outside_the_ends_of_deletion(some: Task, tmp_path: Path) -> None:
    stage.certify(some, progress=False)
    ends: dict[str, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for row in stored(some):
        ends[row["metric"]][row["item"]][row["kind"]] = row["value"]
    opened = open_scoring(Setting(some, cache=tmp_path / "cache"))
    rng = np.random.default_rng(0)
    means: dict[str, list[float]] = defaultdict(list)
    for item in opened.items()[0]:
        count = len(item.tokens)
        explanation = SpeechMap(rng.random((count, *item.features.shape)), np.zeros((count, count)))
        for value in opened.score([(item, explanation)])[0]:
            if value.metric == "deletion_token@mean":
                assert value.value is not None
                means["random"].append(value.value)
                means["best"].append(ends[value.metric][item.id]["ceiling"])
                means["worst"].append(ends[value.metric][item.id]["anti"])
    assert np.mean(means["best"]) < np.mean(means["random"]) < np.mean(means["worst"])


def test_a_killed_certification_goes_on_where_it_stopped(some: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    real, seen = cross_fitting.ends, []

    def dying(search: Any, scoring: Any, item: Any, choices: Any) -> Any:
        seen.append(item.id)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return real(search, scoring, item, choices)

    monkeypatch.setattr(cross_fitting, "ends", dying)
    with pytest.raises(KeyboardInterrupt):
        stage.certify(some, progress=False)
    assert (certificates.folder(some) / work.FILE).is_file()
    authoring.certify(some)
    assert seen == [seen[0], seen[1], seen[1]]


def test_a_map_and_its_reverse_share_what_is_searched(
    some: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = open_scoring(Setting(some, cache=tmp_path / "cache"))
    item, made = opened.items()[0][0], []
    monkeypatch.setattr(search, "greedy", lambda *of, **more: made.append(of) or greedy(*of, **more))
    found = search.candidates(opened, item)
    assert not made
    one, other = found["tokens"](), found["not tokens"]()
    np.testing.assert_allclose(one.spectrogram + other.spectrogram, 1)
    assert len(made) == 1


def test_records_without_truth_cannot_be_certified(
    some: Task, model: FakeSpeechModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = records(1, model)[0]
    untold = bare.__class__(bare.id, bare.reference, bare.cluster, bare.audio)
    monkeypatch.setattr(loading, "load_records", lambda setting: [untold])
    with pytest.raises(EarwitnessError, match="no truth about words"):
        stage.certify(some, progress=False)


def test_greedy_removal_costs_a_token_more_than_removal_at_random(some: Task, tmp_path: Path) -> None:
    opened = open_scoring(Setting(some, cache=tmp_path / "cache"))
    item = opened.items()[0][0]
    count = len(item.tokens)
    found = greedy(opened.respondent, item, np.eye(count), removing=True)
    assert found.shape == (count, *item.features.shape)
    first = found == 1
    assert (np.abs(first.sum((1, 2)) - item.features.size / ROUNDS) < 1).all()
    rng, fill = np.random.default_rng(0), item.features.mean(0)

    def left(masks: np.ndarray) -> np.ndarray:
        removed = np.where(masks, fill, item.features).astype(np.float32)
        return opened.respondent.probabilities(item, removed)[:count].diagonal()

    at_random = np.stack([rng.permutation(mask.ravel()).reshape(mask.shape) for mask in first])
    assert (left(first) < left(at_random)).all()


def test_gradients_are_those_of_the_probability(some: Task, tmp_path: Path) -> None:
    opened = open_scoring(Setting(some, cache=tmp_path / "cache"))
    item = opened.items()[0][0]
    weights = np.zeros((1, len(item.tokens)))
    weights[0, -1] = 1
    slope = opened.respondent.gradients(item, item.features[None], weights)[0]
    cell = np.unravel_index(np.abs(slope).argmax(), slope.shape)
    pair = np.stack([item.features, item.features])
    pair[:, *cell] += (-0.05, 0.05)
    low, high = opened.respondent.probabilities(item, pair)[:, -1]
    assert (high - low) / 0.1 == pytest.approx(slope[cell], rel=0.05)


def test_a_stretch_is_compared_with_as_long_a_stretch_that_does_not_touch_it() -> None:
    own = np.zeros(10, dtype=bool)
    own[4:6] = True
    others = stage.elsewhere(own)
    assert (others.sum(1) == 2).all()
    assert not (others & own).any()
    assert not len(stage.elsewhere(np.ones(5, dtype=bool)))
