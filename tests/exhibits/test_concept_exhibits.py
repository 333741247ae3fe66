"""What is left of a dictionary for people to see and hear."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from concept_fakes import FakeConceptModel, fake_record, planted
from concept_scoring_fakes import dataset, estimators, holding, task, untrained
from earwitness.exhibits import concept, concept_features
from earwitness.results.file_names import file_name
from earwitness.scoring import Setting, loading
from earwitness.scoring.columns import read_columns
from earwitness.scoring.concept.features import Features
from earwitness.scoring.concept.held_out import HeldOut
from earwitness.scoring.concept.originals import page_of
from earwitness.scoring.concept.scoring import ConceptScoring, open_scoring
from earwitness.tracks.concept import Activation, ConceptItem, Dictionaries, Dictionary
from manifests import manifest

Opened = Callable[..., ConceptScoring]
CARDS = [{"metric": "fvu"}, {"metric": "steer", "parameters": {"factor": "loudness", "k": 1}}]


@pytest.fixture
def model() -> FakeConceptModel:
    return FakeConceptModel()


@pytest.fixture
def scoring(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model: FakeConceptModel) -> ConceptScoring:
    """Three items, so that sounds are left of all but the last."""
    adapter = dataset(ESTIMATORS=estimators(model, planted(model.width)))
    records = [fake_record(model, 0, "a/1"), fake_record(model, 1, "b", correlated=True), fake_record(model, 2, "c")]
    monkeypatch.setattr(loading, "load_model", lambda task, device: model)
    monkeypatch.setattr(loading, "adapter", lambda package, name, task: adapter)
    monkeypatch.setattr(loading, "load_records", lambda setting: records)
    return open_scoring(Setting(task(tmp_path / "task", CARDS, items=3), cache=tmp_path / "out" / ".originals"))


def left(scoring: ConceptScoring, dictionary: Dictionary, folder: Path) -> dict[str, dict[str, Any]]:
    """What is left of each item, by item."""
    items = scoring.items()[0]
    scoring.score([(item, Dictionaries((dictionary, dictionary))) for item in items], folder)
    names = {item.id: folder / f"{file_name(item.id)}.features.json" for item in items}
    return {item: json.loads(path.read_text()) for item, path in names.items()}


def tiny(train: np.ndarray, test: np.ndarray, factor: np.ndarray) -> tuple[Features, HeldOut]:
    """Features that are the latents [n, C], of clips of two equal frames, with one factor [n] in both sets."""
    width = train.shape[1]
    held = np.repeat(test[:, None].astype(np.float32), 2, 1)
    item = ConceptItem("x", "continuous", 25.0, (0,), np.repeat(train[:, None].astype(np.float32), 2, 1))
    known = HeldOut(("a",), (), factor[:, None], factor[:, None], held)
    whole = Dictionary(np.eye(width), np.zeros(width), np.eye(width), np.zeros(width), Activation.RELU)
    return Features(item, known, whole), known


FACTOR = np.array([0.0, 1.0, 2.0, 3.0])
CLIPS = np.stack([np.full(4, 7.0), 2 * FACTOR, np.array([0.0, 9.0, 0.0, 9.0])], 1)
"""A feature that never changes, one that is twice the factor, and one that has little to do with it."""


def test_the_feature_that_tells_most_and_the_liveliest_are_shown() -> None:
    features, known = tiny(CLIPS, CLIPS, FACTOR)
    assert concept_features.most_predictive(features, known) == {"a": 1}
    assert concept_features.most_variable(features) == [2, 1], "variances 20.25 and 5; the first never changes"
    found = concept.described(features, known)
    assert [each["feature"] for each in found["features"]] == [1, 2]
    assert found["clips"] == {"a": [0.0, 1.0, 2.0, 3.0]}
    assert (found["best"], found["width"]) == ({"a": 1}, 3)


def test_a_response_is_the_means_in_held_out_clips_and_what_they_tell() -> None:
    features, known = tiny(CLIPS, CLIPS, FACTOR)
    found = concept_features.response(features, known, 1)
    assert found["means"] == [0.0, 2.0, 4.0, 6.0]
    assert found["active"] == 0.75
    assert found["tells"]["a"] == pytest.approx(1.0, abs=0.01)
    assert [(each["clip"], each["mean"]) for each in found["top"]] == [(3, 6.0), (2, 4.0), (1, 2.0)]
    assert found["top"][0]["factors"] == {"a": 3.0}
    assert [(each["low"], each["mean"], each["clips"]) for each in found["binned"]["a"]] == [
        (0.0, 0.0, 1), (0.75, 2.0, 1), (1.875, 4.0, 1), (2.625, 6.0, 1)
    ]  # fmt: skip


def test_a_dictionary_that_is_never_active_has_no_feature_to_show() -> None:
    features, known = tiny(-CLIPS, -CLIPS, FACTOR)
    found = concept.described(features, known)
    assert (found["best"], found["features"]) == ({}, [])


def test_of_many_held_out_clips_some_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(concept_features, "SHOWN", 2)
    features, known = tiny(CLIPS, CLIPS, FACTOR)
    assert concept.described(features, known)["clips"] == {"a": [0.0, 3.0]}
    assert concept_features.response(features, known, 1)["means"] == [0.0, 6.0]
    assert len(concept_features.response(features, known, 1)["top"]) == 3, "of all"


def test_the_steered_clip_is_the_most_ordinary_one() -> None:
    train, test = np.array([[0.0, 0.0], [2.0, 20.0]]), np.array([[3.0, 0.0], [1.0, 11.0], [1.0, 30.0]])
    known = HeldOut(("a", "b"), (), train, test, np.zeros((3, 1, 1), dtype=np.float32))
    assert concept.middle(known) == 1


def test_sounds_are_left_of_the_first_items_alone(
    scoring: ConceptScoring, model: FakeConceptModel, tmp_path: Path
) -> None:
    found = left(scoring, holding(planted(model.width)), tmp_path / "exhibits")
    assert [("steering" in each) for each in found.values()] == [True, True, False]
    sounds = sorted(path.name for path in (tmp_path / "exhibits").glob("*.flac"))
    assert len(sounds) == 2 * 3 * len(concept.SIZES)
    assert sounds[0] == "a%2F1.steered-brightness +0.flac"
    for item, own in found.items():
        clips = {each["clip"] for feature in own["features"] for each in feature["top"]}
        files = scoring.originals.folder.glob(f"{file_name(item)}.clip-*.flac")
        assert {path.name.split("-")[-1] for path in files} == (
            {f"{clip}.flac" for clip in clips} if item != "c" else set()
        )


def test_a_features_clip_is_the_original_sound(
    scoring: ConceptScoring, model: FakeConceptModel, tmp_path: Path
) -> None:
    found = left(scoring, holding(planted(model.width)), tmp_path / "exhibits")["a/1"]
    clip = found["features"][0]["top"][0]["clip"]
    wave, rate = soundfile.read(scoring.originals.folder / f"a%2F1.clip-{clip}.flac")
    assert rate == model.sample_rate
    original = scoring.record("a/1").test.audio(rate)[clip]
    assert np.abs(wave - np.clip(original, -1, 1)).max() < 2 / 2**15


def test_steering_along_a_planted_axis_is_measured_as_asked(
    scoring: ConceptScoring, model: FakeConceptModel, tmp_path: Path
) -> None:
    own = left(scoring, holding(planted(model.width)), tmp_path / "exhibits")["a/1"]["steering"]
    loudness = own["factors"]["loudness"]
    assert own["sizes"] == [-2, -1, 0, 1, 2]
    assert loudness["k"] == 1, "as the card's metric steers it"
    # The one feature is half of its axis, but every dictionary moves the latents as far.
    assert loudness["moved"]["loudness"] == pytest.approx([-2, -1, 0, 1, 2], abs=0.15)
    assert np.abs(loudness["moved"]["brightness"]).max() < 0.15
    assert loudness["moved"]["loudness"][2] == 0
    assert loudness["sounds"][0] == "loudness -2"
    spread = scoring.originals.held_out(0, model)["a/1"].train[:, 1].std()
    assert (loudness["measured"]["loudness"][4] - loudness["measured"]["loudness"][2]) / spread == pytest.approx(
        loudness["moved"]["loudness"][4], abs=1e-3
    )


def test_a_factor_is_steered_as_the_cards_headline_steers_it(tmp_path: Path) -> None:
    first, headline = ({"metric": "steer", "parameters": {"factor": "loudness", "k": k}} for k in (1, 4))
    some = task(tmp_path / "other", [first, headline])
    one, other = some.card.metrics
    for chosen, k in ((other, 4), (one, 1)):
        assert concept.steered_by(read_columns(some), {chosen.id}, "loudness") == k
        as_another = concept.steered_by(read_columns(some), {chosen.id}, "pitch")
        assert as_another == k, "as another factor, where the card steers it by none"
    assert concept.steered_by([], set(), "loudness") == 0


def test_the_same_explanations_leave_the_same_bytes(
    scoring: ConceptScoring, model: FakeConceptModel, tmp_path: Path
) -> None:
    hashes = []
    for folder in (tmp_path / "one", tmp_path / "other"):
        left(scoring, untrained(model.width, 32, 0), folder)
        hashes.append({path.name: sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())})
    assert hashes[0] == hashes[1]
    assert len(hashes[0]) == 3 + 3 + 2 * 3 * len(concept.SIZES), "documents, manifests, sounds"


def test_values_are_the_same_whether_or_not_one_listens(
    scoring: ConceptScoring, model: FakeConceptModel, tmp_path: Path
) -> None:
    item = scoring.items()[0][0]
    pair = (item, Dictionaries((holding(planted(model.width)),) * 2))
    assert scoring.score([pair]) == scoring.score([pair], tmp_path / "exhibits")


def test_a_dictionary_without_a_pattern_says_why_it_is_not_steered(
    scoring: ConceptScoring, model: FakeConceptModel, tmp_path: Path
) -> None:
    width = model.width
    silent = Dictionary(np.eye(width), np.full(width, -1e6), np.eye(width), np.zeros(width), Activation.RELU)
    own = left(scoring, silent, tmp_path / "exhibits")["a/1"]["steering"]["factors"]
    assert own["pitch"] == {"reason": "no feature has a pattern of this factor"}


def test_a_factor_without_an_estimator_is_steered_and_not_measured(
    scoring: ConceptScoring, model: FakeConceptModel, tmp_path: Path
) -> None:
    scoring.steering.estimators = {name: own for name, own in scoring.steering.estimators.items() if name != "pitch"}
    own = left(scoring, holding(planted(model.width)), tmp_path / "exhibits")["a/1"]["steering"]["factors"]["pitch"]
    assert set(own["measured"]) == set(own["moved"]) == {"loudness", "brightness"}
    assert (tmp_path / "exhibits" / "a%2F1.steered-pitch +0.flac").is_file()


def test_what_an_estimator_does_not_hear_is_left_open() -> None:
    assert concept.moved([None, 1.0, None, 1.0, 2.0], np.array([0.0, 2.0])) == [None] * 5
    assert concept.moved([1.0, None, 3.0, 4.0, 5.0], np.array([0.0, 4.0])) == [-1.0, None, 0.0, 0.5, 1.0]
    assert concept.moved([1.0] * 5, np.array([4.0, 4.0])) == [None] * 5


def test_the_page_is_told_of_units_and_of_what_moves_together(scoring: ConceptScoring) -> None:
    told = page_of(scoring.record("b"))
    assert told["factors"] == {"pitch": "MIDI number", "loudness": "dB", "brightness": "octaves above 1 kHz"}
    assert (told["correlated"], told["estimated"], told["clips"]) == (["loudness", "brightness"], [], [60, 40])


def test_the_manifest_lists_what_is_left_and_the_clips_beside_the_originals(
    scoring: ConceptScoring, model: FakeConceptModel, tmp_path: Path
) -> None:
    folder = tmp_path / "out" / "run" / "exhibits"
    found = left(scoring, holding(planted(model.width)), folder)
    own = manifest(folder, "a/1")["exhibits"]
    assert [each["part"] for each in own if each["label"] == "steered"][:5] == [
        "brightness -2", "brightness -1", "brightness +0", "brightness +1", "brightness +2"
    ]  # fmt: skip
    clips = sorted({each["clip"] for feature in found["a/1"]["features"] for each in feature["top"]})
    assert [int(each["part"]) for each in own if each["label"] == "clip"] == clips
    assert all((folder / each["path"]).is_file() for each in own)
    assert {each["label"] for each in manifest(folder, "c")["exhibits"]} == {"features"}


def test_a_dictionary_whose_features_overflow_leaves_its_reason_and_costs_no_value(
    scoring: ConceptScoring, model: FakeConceptModel, tmp_path: Path
) -> None:
    width = model.width
    large, eye, none = (np.float32(array) for array in (3e38 * np.eye(width), np.eye(width), np.zeros(width)))
    large = Dictionary(large, none + np.float32(3e38), eye, none, Activation.RELU)
    item = scoring.items()[0][0]
    pair = (item, Dictionaries((large, large)))
    assert scoring.score([pair], tmp_path / "exhibits") == scoring.score([pair])
    found = manifest(tmp_path / "exhibits", item.id)
    assert found["exhibits"] == []
    assert found["problem"]
    assert "\n" not in found["problem"]
