"""Arrays that metrics are tried on: drawn for every response, and like those that scoring hands out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import band_scoring_fakes
import concept_scoring_fakes
import scoring_fakes
import speech_scoring_fakes
from band_fakes import FakeBandModel
from concept_fakes import FakeConceptModel, fake_record, planted
from earwitness import metrics
from earwitness.harness.validation.contracts import drawn
from earwitness.metrics import Response
from earwitness.scoring import Setting, loading
from earwitness.scoring.band import scoring as band_scoring
from earwitness.scoring.band import truth
from earwitness.scoring.columns import Column
from earwitness.scoring.concept import scoring as concept_scoring
from earwitness.scoring.prompt import scoring as prompt_scoring
from earwitness.scoring.prompt.truth import Truth, WordTruth, codes_digest
from earwitness.scoring.speech import scoring as speech_scoring
from earwitness.scoring.speech.training import PATCH, TrainingSpeech, marginal_of
from earwitness.tracks.band import BandMap
from earwitness.tracks.concept import Dictionaries
from earwitness.tracks.prompt import TokenMap
from earwitness.tracks.speech import SpeechMap
from speech_fakes import FakeSpeechModel

RESPONSES = sorted({spec.response for spec in metrics.all_metrics().values()}, key=lambda kind: kind.__name__)
Kind = tuple[Any, ...]


def kind_of(value: Any) -> Kind:
    """What an array is like: its type, its axes and its numbers; a list by what is in it."""
    if isinstance(value, list):
        return ("list", *sorted({kind_of(each) for each in value}))
    if isinstance(value, np.ndarray):
        return "array", value.ndim, value.dtype.kind
    return (type(value).__name__,)


@pytest.mark.parametrize("response", RESPONSES, ids=lambda kind: kind.__name__)
def test_arrays_of_every_response_are_drawn_and_one_seed_draws_them_twice(response: type[Response]) -> None:
    first, second = (
        [drawn(response(), random) for _ in range(5)] for random in (np.random.default_rng(3), np.random.default_rng(3))
    )
    assert repr(first) == repr(second)
    assert len({len(arrays) for arrays in first}) == 1


Seen = dict[type[Response], list[Any]]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """Arrays that scoring hands to metrics, by their response."""
    found: Seen = {}

    def value(self: Column, *arrays: Any) -> float:
        found.setdefault(type(self.response), []).append(arrays)
        return 0.5

    monkeypatch.setattr(Column, "value", value)
    return found


def require_alike(seen: Seen) -> None:
    """That what is drawn of each response is of the kinds that scoring gave."""
    random = np.random.default_rng(5)
    for response, given in seen.items():
        real = {tuple(kind_of(each) for each in arrays) for arrays in given}
        made = {tuple(kind_of(each) for each in drawn(response(), random)) for _ in range(20)}
        assert real <= made, response.__name__


def read(track: str) -> set[type[Response]]:
    return {spec.response for spec in metrics.all_metrics().values() if spec.track == track}


def test_band(seen: Seen, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    model, fakes = FakeBandModel(), band_scoring_fakes
    monkeypatch.setattr(loading, "load_model", lambda task, device: model)
    monkeypatch.setattr(loading, "load_judges", lambda task, names, device: {"cnn": fakes.FakeJudge(model)})
    monkeypatch.setattr(loading, "load_records", lambda setting: fakes.records(model, 1))
    monkeypatch.setattr(truth, "training_records", lambda setting: [])
    scoring = band_scoring.open_scoring(Setting(fakes.task(tmp_path / "task", items=1), cache=tmp_path / "cache"))
    for item in scoring.items()[0]:
        scoring.score([(item, BandMap(np.ones((len(item.tokens), *item.mel.shape))))])
    assert set(seen) == read("band")
    require_alike(seen)


def test_speech(seen: Seen, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    model, fakes = FakeSpeechModel(), speech_scoring_fakes
    monkeypatch.setattr(loading, "load_model", lambda task, device: model)
    monkeypatch.setattr(loading, "load_records", lambda setting: fakes.records(1, model))
    monkeypatch.setattr(speech_scoring, "certified", lambda certificate, level: True)
    patches = np.ones((2, PATCH, model.bins), dtype=np.float32)
    known = TrainingSpeech(marginal_of([patches[0]]), patches, 1.0)
    monkeypatch.setattr(speech_scoring, "read_training", lambda task: known)
    used = [*fakes.METRICS, {"metric": "insertion_bleu"}]
    scoring = speech_scoring.open_scoring(Setting(fakes.task(tmp_path / "task", used, 1), cache=tmp_path / "cache"))
    for item in scoring.items()[0]:
        count = len(item.tokens)
        scoring.score([(item, SpeechMap(np.ones((count, *item.features.shape)), np.zeros((count, count))))])
    assert set(seen) == read("speech")
    require_alike(seen)


def test_concept(seen: Seen, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    model, fakes = FakeConceptModel(), concept_scoring_fakes
    own = fakes.dataset(ESTIMATORS=fakes.estimators(model, planted(model.width)))
    monkeypatch.setattr(loading, "load_model", lambda task, device: model)
    monkeypatch.setattr(loading, "adapter", lambda package, name, task: own)
    monkeypatch.setattr(loading, "load_records", lambda setting: [fake_record(model, 0, "plain")])
    scoring = concept_scoring.open_scoring(Setting(fakes.task(tmp_path / "task", items=1), cache=tmp_path / "cache"))
    raw = fakes.raw(model.width)
    for item in scoring.items()[0]:
        scoring.score([(item, Dictionaries((raw, raw)))])
    # The fake traces no generation.
    assert {kind.__name__ for kind in read("concept") - set(seen)} == {"TracedProbe", "TracedProbeAndSound"}
    require_alike(seen)


def test_prompt(seen: Seen, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fakes = scoring_fakes
    fakes.served(monkeypatch)
    names = ("kl_f", "kl_cf", "kl_noise", "logit_kl_f", "logit_kl_cf", "size", "word_ap", "interval_top1")
    used = [{"metric": name} for name in (*names, "shapley_spearman", "null_word_mass")]
    scoring = prompt_scoring.open_scoring(
        Setting(fakes.task(tmp_path / "task", used), items=2, cache=tmp_path / "cache")
    )
    items = scoring.items()[0]
    words = {item.id: len(item.prompt.split()) for item in items}
    known = {
        item.id: WordTruth(codes_digest(item), np.ones(words[item.id]), np.ones(words[item.id]) > 0) for item in items
    }
    monkeypatch.setattr(Truth, "certified", lambda self, role: True)
    monkeypatch.setattr(prompt_scoring, "read_truth", lambda task: Truth({}, known))
    scoring.score([(item, TokenMap(np.ones(len(item.tokens)))) for item in items])
    assert set(seen) == read("prompt")
    require_alike(seen)
