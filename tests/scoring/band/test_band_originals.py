"""Originals of the band track: what is explained, what is known of it, and one line for what cannot be."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors import safe_open

from band_fakes import FakeBandModel, fake_record
from band_scoring_fakes import FakeJudge, records, silent, task, with_stems
from earwitness.datasets import BandRecord
from earwitness.errors import EarwitnessError, InvalidItemError
from earwitness.metrics.band import sounding
from earwitness.scoring import Setting, loading
from earwitness.scoring.band import truth
from earwitness.scoring.band.scoring import BandScoring, open_scoring
from earwitness.scoring.files import read_arrays
from earwitness.tracks.band import generate, loudness
from manifests import manifest

Patched = Callable[[list[BandRecord]], BandScoring]


@pytest.fixture
def model() -> FakeBandModel:
    return FakeBandModel()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model: FakeBandModel) -> Patched:
    monkeypatch.setattr(loading, "load_model", lambda task, device: model)
    monkeypatch.setattr(loading, "load_judges", lambda task, names, device: {"cnn": FakeJudge(model)})
    monkeypatch.setattr(truth, "training_records", lambda setting: records(model, 6, first=100))

    def of(found: list[BandRecord]) -> BandScoring:
        monkeypatch.setattr(loading, "load_records", lambda setting: found)
        return open_scoring(Setting(task(tmp_path / "task"), cache=tmp_path / "cache"))

    return of


def reason(opened: Patched, model: FakeBandModel, bad: BandRecord) -> str:
    """Why a record cannot be explained; the one beside it can."""
    items, problems = opened([bad, *records(model, 1)]).items()
    assert [item.id for item in items] == ["clip-0"]
    (problem,) = problems
    assert problem.item == bad.id
    assert "\n" not in problem.reason
    return problem.reason


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        ("music at night", "the prompt names no known instrument (known: bass, organ, "),
        ("a bass and one Bass, please", "the prompt names bass more than once"),
    ],
)
def test_a_prompt_that_names_no_instrument_or_one_twice_spoils_its_own_item_alone(
    opened: Patched, model: FakeBandModel, prompt: str, says: str
) -> None:
    assert says in reason(opened, model, fake_record(model, prompt, name="bad"))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (silent, "the stem of flute is silent"),
        (lambda stems: stems[:, :-7], "the stems of bass, flute are [2, 1529], and the mix has 1536 samples"),
        (lambda stems: stems * np.nan, "the stem of bass is silent or not finite"),
    ],
)
def test_a_stem_that_is_silent_or_of_another_length_spoils_its_own_item_alone(
    opened: Patched, model: FakeBandModel, change: Callable[[np.ndarray], np.ndarray], says: str
) -> None:
    assert says in reason(opened, model, with_stems(fake_record(model, name="bad"), change))


def test_a_file_that_is_no_use_spoils_its_own_item_alone(opened: Patched, model: FakeBandModel) -> None:
    def broken(rate: int, names: tuple[str, ...]) -> np.ndarray:
        raise InvalidItemError("S01.flac: no such file")

    good = fake_record(model, name="bad")
    record = BandRecord("bad", good.prompt, "bad", good.known, good.seconds, good.audio, broken)
    assert reason(opened, model, record) == "S01.flac: no such file"


def test_a_clip_that_is_too_short_spoils_its_own_item_alone(opened: Patched, model: FakeBandModel) -> None:
    good = fake_record(model)
    short = BandRecord(
        "short",
        good.prompt,
        "short",
        good.known,
        good.seconds / 2,
        lambda rate: good.audio(rate)[:768],
        lambda rate, names: good.stems(rate, names)[:, :768],
    )
    assert reason(opened, model, short) == "the clip lasts 0.48 s, and the model makes 0.96 s"


def test_an_instrument_whose_word_is_split_has_all_its_tokens(opened: Patched, model: FakeBandModel) -> None:
    (item,) = opened([fake_record(model, "one Trumpet, then bass")]).items()[0]
    assert item.instruments == ("trumpet", "bass")
    assert [np.array(item.tokens)[own].tolist() for own in item.named] == [["trum", "pet"], ["bass"]]
    assert item.without(0) == "one then bass"


def test_an_item_is_the_clip_made_anew_under_its_prompt(opened: Patched, model: FakeBandModel) -> None:
    scoring = opened(records(model, 2))
    item = scoring.items()[0][1]
    clip = torch.from_numpy(scoring.record(item.id).audio(model.sample_rate)[None])
    assert item.start == pytest.approx(model.mel(clip)[0].numpy())
    assert np.array_equal(item.mel, generate(model, item).mel[0].numpy())
    assert item.strength == model.strength
    assert item.mel.shape == item.start.shape == item.prior.shape[1:] == (model.bins, model.frames)


def test_a_model_that_starts_from_noise_gets_no_start(opened: Patched, model: FakeBandModel) -> None:
    model.strength = 0.0
    scoring = opened(records(model, 1))
    (item,) = scoring.items()[0]
    assert not item.start.size
    assert np.array_equal(item.mel, generate(model, item).mel[0].numpy())


def test_the_truth_is_where_the_stems_sound(opened: Patched, model: FakeBandModel) -> None:
    scoring = opened(records(model, 2))
    item = scoring.items()[0][0]
    known = scoring.originals.pairs(0, model)[item.id]
    stems = scoring.record(item.id).stems(model.sample_rate, item.instruments)
    expected = [sounding(mel) for mel in model.mel(torch.from_numpy(stems)).numpy()]
    assert np.array_equal(known.truth, np.stack(expected))
    assert 0 < known.truth.mean() < 0.5


def test_a_pair_differs_in_one_word_alone(opened: Patched, model: FakeBandModel) -> None:
    scoring = opened(records(model, 2))
    for item in scoring.items()[0]:
        known = scoring.originals.pairs(0, model)[item.id]
        for index, difference in enumerate(known.difference):
            without = generate(model, item, prompt=item.without(index)).mel[0].numpy()
            assert difference == pytest.approx(np.abs(loudness(item.mel) - loudness(without)), abs=1e-4)
            assert difference.max() > 0.1


def test_the_page_knows_the_frequencies_of_mel_bins_where_there_are_some(opened: Patched, model: FakeBandModel) -> None:
    scoring = opened(records(model))
    scoring.items()
    path = next(scoring.originals.folder.glob("items-*"))
    pages = read_arrays(path)[1]["page"].values()
    assert all(len(page["hz"]) == model.bins and page["hz"] == sorted(page["hz"]) for page in pages)
    model.has_frequency = False
    scoring.originals._hz = None
    assert scoring.originals._bins(model) == []


def test_items_on_disk_are_the_items_that_were_made_and_lost_pairs_are_made_again(
    opened: Patched, model: FakeBandModel
) -> None:
    first = opened(records(model))
    made, before = first.items()[0], first.originals.pairs(0, model)
    again = opened(records(model))
    for path in again.originals.folder.glob("pairs-*"):
        path.unlink()
    after = again.originals.pairs(0, model)
    for one, other in zip(made, again.items()[0], strict=True):
        assert one.fields() == other.fields()
        assert all(np.array_equal(one.arrays()[name], other.arrays()[name]) for name in one.arrays())
    for item, known in before.items():
        assert np.array_equal(known.difference, after[item].difference)
        assert np.array_equal(known.original, after[item].original)


def test_an_item_does_not_depend_on_the_items_beside_it(opened: Patched, model: FakeBandModel, tmp_path: Path) -> None:
    some = records(model, 4)
    together = opened(some).items()[0][2]
    (tmp_path / "cache").rename(tmp_path / "other")
    alone = opened(some[2:3]).items()[0][0]
    assert all(np.array_equal(together.arrays()[name], alone.arrays()[name]) for name in alone.arrays())


def test_a_chunk_of_items_that_are_all_no_use_is_no_error(opened: Patched, model: FakeBandModel) -> None:
    scoring = opened([fake_record(model, "nothing", name="bad")])
    assert [problem.item for problem in scoring.items()[1]] == ["bad"]
    assert scoring.originals.pairs(0, model) == {}


def test_what_the_page_needs_lies_beside_the_items(opened: Patched, model: FakeBandModel) -> None:
    scoring = opened([fake_record(model, "a bass and a flute", name="a/b")])
    (item,) = scoring.items()[0]
    folder = scoring.originals.folder
    with safe_open(folder / "items-0000.safetensors", framework="numpy") as file:
        page = json.loads(file.metadata()["fields"])["page"]["a/b"]
    known = scoring.originals.pairs(0, model)["a/b"]
    bins, frames = page["shape"]
    for index, word in enumerate(item.instruments):
        bits = np.frombuffer(base64.b64decode(page["truth"][word]), np.uint8)
        cells = np.unpackbits(bits, count=bins * frames).reshape(bins, frames).astype(bool)
        assert np.array_equal(cells, known.truth[index])
        levels = np.frombuffer(base64.b64decode(page["swap"][word]), np.uint8).reshape(bins, frames)
        assert levels / 255 == pytest.approx(known.difference[index] / known.difference[index].max(), abs=0.002)
        assert page["density"][word] == known.truth[index].mean()
    own = manifest(folder, "a/b")["exhibits"]
    assert [(each["label"], each["part"]) for each in own] == [
        ("mix", ""), ("original", ""), ("stem", "bass"), ("stem", "flute"), ("without", "bass"), ("without", "flute")
    ]  # fmt: skip
    assert own[2]["path"] == "a%2Fb.stem-bass.ogg"
    for each in own:
        assert soundfile.info(folder / each["path"]).frames == model.frames * 64


def test_the_prior_is_the_mean_truth_of_training_clips(opened: Patched, model: FakeBandModel) -> None:
    scoring = opened([fake_record(model, "a bass and a flute")])
    (item,) = scoring.items()[0]
    masks = []
    for record in records(model, 6, first=100):
        if "bass" in record.prompt:
            stem = torch.from_numpy(record.stems(model.sample_rate, ("bass",)))
            masks.append(sounding(model.mel(stem)[0].numpy()))
    assert len(masks) == 3
    assert item.prior[0] == pytest.approx(np.mean(masks, axis=0))
    assert 0 < item.prior[0].max() <= 1


def test_training_clips_that_are_no_use_are_left_out_of_the_prior(model: FakeBandModel) -> None:
    good = records(model, 1)
    bad = [fake_record(model, "nothing"), with_stems(good[0], silent)]
    means = truth.mean_truth([*bad, *good], model)
    assert set(means) == {"bass", "flute"}
    assert np.array_equal(means["bass"], truth.mean_truth(good, model)["bass"])


def test_without_a_train_split_the_prior_is_zero(
    opened: Patched, model: FakeBandModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*given: object, **named: object) -> list[BandRecord]:
        raise EarwitnessError("no split 'train'")

    monkeypatch.undo()
    monkeypatch.setattr("earwitness.datasets.stems.load", none)
    monkeypatch.setattr(loading, "load_model", lambda task, device: model)
    found = records(model, 1)
    monkeypatch.setattr(loading, "load_records", lambda setting: found)
    (item,) = opened(found).items()[0]
    assert item.prior.shape == (2, model.bins, model.frames)
    assert not item.prior.any()


def test_training_clips_are_those_of_the_train_split_and_the_settings_seed(tmp_path: Path) -> None:
    some = task(tmp_path / "task", [{"metric": "tf_ap"}])
    own = truth.training_records(Setting(some))
    fresh = truth.training_records(Setting(some, fresh=5))
    assert len(own) == len(fresh) == truth.TRAINING
    assert own[0].id == "train-00000"
    assert fresh[0].id == "train-00000-5"
