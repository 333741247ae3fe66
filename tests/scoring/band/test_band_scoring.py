"""The scoring of the band track on a model small enough to compute by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from band_fakes import FakeBandModel
from band_scoring_fakes import METRICS, FakeJudge, records, task
from earwitness.authoring import certificates
from earwitness.errors import InvalidCardError
from earwitness.metrics import band, causal
from earwitness.results.rows import Status
from earwitness.scoring import Setting, Value, loading
from earwitness.scoring.band import scoring as band_scoring
from earwitness.scoring.band import truth
from earwitness.scoring.band.responses import classes_of
from earwitness.scoring.band.scoring import BandScoring, open_scoring
from earwitness.task import Task
from earwitness.tracks.band import BandItem, BandMap, start_of
from manifests import manifest

Opened = Callable[[Task], BandScoring]


@pytest.fixture
def model() -> FakeBandModel:
    return FakeBandModel()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model: FakeBandModel) -> Opened:
    monkeypatch.setattr(loading, "load_model", lambda task, device: model)
    judges = {"cnn": FakeJudge(model)}
    monkeypatch.setattr(loading, "load_judges", lambda task, names, device: judges if names else {})
    monkeypatch.setattr(loading, "load_records", lambda setting: records(model, setting.task.card.dataset.items))
    monkeypatch.setattr(truth, "training_records", lambda setting: [])
    return lambda some: open_scoring(Setting(some, cache=tmp_path / "cache"))


def drawn(item: BandItem, seed: int = 0) -> BandMap:
    rng = np.random.default_rng(seed)
    return BandMap(rng.random((len(item.tokens), *item.mel.shape)))


def by_id(values: list[Value]) -> dict[str, Value]:
    return {value.metric: value for value in values}


def test_every_metric_of_the_card_has_a_value(opened: Opened, tmp_path: Path) -> None:
    scoring = opened(task(tmp_path / "task"))
    for item in scoring.items()[0]:
        values = scoring.score([(item, drawn(item))])[0]
        assert len(values) == len(METRICS)
        assert all(value.status == Status.OK and value.value is not None for value in values)


def test_maps_are_scored_by_the_sum_of_a_words_tokens(opened: Opened, model: FakeBandModel, tmp_path: Path) -> None:
    scoring = opened(task(tmp_path / "task"))
    item = scoring.items()[0][1]
    assert item.named.sum(1).tolist() == [2, 1]
    explanation = drawn(item)
    maps = np.stack([explanation.maps[own].sum(0) for own in item.named])
    known = scoring.originals.pairs(0, model)[item.id]
    values = by_id(scoring.score([(item, explanation)])[0])
    assert values["tf_ap"].value == band.tf_ap(maps, known.truth)
    assert values["profile_corr"].value == band.profile_corr(maps, known.truth)
    assert values["tf_pointing@1"].value == band.tf_pointing(maps, known.truth, tolerance=1)
    assert values["swap_corr"].value == causal.swap_corr(maps, known.difference)
    assert values["truth_density"].value == pytest.approx(known.truth.mean())
    cut = [own >= np.sort(own, axis=None)[-cells.sum()] for own, cells in zip(maps, known.truth, strict=True)]
    assert values["tf_iou"].value == band.tf_iou(np.stack(cut), known.truth)
    half = [own >= (own.min() + own.max()) / 2 for own in maps]
    assert values["precision@half"].value == band.precision(np.stack(half), known.truth)


def test_maps_of_other_tokens_are_not_scored(opened: Opened, tmp_path: Path) -> None:
    scoring = opened(task(tmp_path / "task"))
    item = scoring.items()[0][0]
    first, second = drawn(item, 1).maps, drawn(item, 2).maps
    second[item.named.any(0)] = first[item.named.any(0)]
    assert scoring.score([(item, BandMap(first))]) == scoring.score([(item, BandMap(second))])


def test_deletion_is_that_of_a_literal_version(opened: Opened, model: FakeBandModel, tmp_path: Path) -> None:
    scoring = opened(task(tmp_path / "task"))
    item, judge = scoring.items()[0][0], FakeJudge(model)
    explanation = drawn(item)
    columns = [[label.lower() for label in judge.labels].index(name) for name in item.instruments]
    original = model.generate(model.encode([item.prompt]), [item.seed], start_of(model, item)).audio
    before = judge.presence(original)[0, columns].tolist()
    for top in (25, 50):
        after = []
        for own in item.named:
            values = explanation.maps[own].sum(0)
            keep = torch.ones(1, len(item.tokens), *item.mel.shape)
            for rank, cell in enumerate(np.argsort(-values, axis=None)):
                if rank < round(top / 100 * values.size):
                    keep[0, np.flatnonzero(own), cell // model.frames, cell % model.frames] = 0
            made = model.generate(model.encode([item.prompt]), [item.seed], start_of(model, item), keep=keep)
            after.append(judge.presence(made.audio)[0, columns].tolist())
        drops = [before[i] - after[i][i] for i in range(2) if before[i] > 0.5]
        values_found = by_id(scoring.score([(item, explanation)])[0])
        assert len(drops) == 2
        assert values_found[f"deletion_drop@{top}"].value == pytest.approx(np.mean(drops), abs=1e-4)
        if top == 25:
            others = [abs(before[1] - after[0][1]), abs(before[0] - after[1][0])]
            assert values_found["deletion_others@25"].value == pytest.approx(np.mean(others), abs=1e-4)


def test_the_cells_that_a_word_acted_in_are_worth_more_than_their_reverse(
    opened: Opened, model: FakeBandModel, tmp_path: Path
) -> None:
    scoring = opened(task(tmp_path / "task"))
    for item in scoring.items()[0]:
        changed = scoring.originals.pairs(0, model)[item.id].difference.astype(np.float64)
        pairs = [(item, BandMap.of_instruments(item, maps)) for maps in (changed, changed.max() - changed)]
        good, bad = (by_id(values) for values in scoring.score(pairs))
        assert good["swap_corr"].value == pytest.approx(1.0)
        assert bad["swap_corr"].value == pytest.approx(-1.0)
        assert (good["deletion_drop@25"].value or 0) > (bad["deletion_drop@25"].value or 0) + 0.3


def test_a_map_that_ties_everywhere_is_cut_by_the_items_seed_for_every_entrant(
    opened: Opened, model: FakeBandModel, tmp_path: Path
) -> None:
    scoring = opened(task(tmp_path / "task"))
    item = scoring.items()[0][0]
    shape = (len(item.tokens), *item.mel.shape)
    first, second = scoring.score([(item, BandMap(np.full(shape, value))) for value in (0.0, 0.7)])
    assert first == second
    values = by_id(first)
    density = scoring.originals.pairs(0, model)[item.id].truth.mean((1, 2)).mean()
    assert values["tf_ap"].value == values["precision@half"].value == pytest.approx(density)
    assert values["recall@half"].value == 1.0
    assert values["swap_corr"].value == values["profile_corr"].value == 0.0


def test_the_same_pairs_give_the_same_values_whatever_stands_beside_them(opened: Opened, tmp_path: Path) -> None:
    scoring = opened(task(tmp_path / "task"))
    pairs = [(item, drawn(item, index)) for index, item in enumerate(scoring.items()[0])]
    assert scoring.score(pairs) == scoring.score(pairs)
    assert scoring.score(pairs[1:2]) == scoring.score(pairs)[1:2]


def test_without_a_frequency_axis_only_time_is_scored(
    opened: Opened, model: FakeBandModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flat = FakeBandModel(has_frequency=False)
    monkeypatch.setattr(loading, "load_model", lambda task, device: flat)
    scoring = opened(task(tmp_path / "task"))
    item = scoring.items()[0][0]
    explanation = drawn(item)
    values = by_id(scoring.score([(item, explanation)])[0])
    scored = {value.metric for value in values.values() if value.status == Status.OK}
    assert scored == {
        "time_ap",
        "swap_corr",
        "deletion_drop@25",
        "deletion_drop@50",
        "deletion_others@25",
        "deletion_noise",
    }
    assert values["tf_ap"].reason == "the model's attention has no frequency axis"
    maps = explanation.instruments(item).mean(1, keepdims=True)
    difference = scoring.originals.pairs(0, flat)[item.id].difference.mean(1, keepdims=True)
    assert values["swap_corr"].value == pytest.approx(causal.swap_corr(maps, difference))
    spread = explanation.maps[:, ::-1].copy()
    assert by_id(scoring.score([(item, BandMap(spread))])[0])["deletion_drop@25"].value == pytest.approx(
        values["deletion_drop@25"].value
    )


def test_truth_is_dropped_where_an_intervention_refuted_it(opened: Opened, tmp_path: Path) -> None:
    some = task(tmp_path / "task")
    roles = {"instrument": {"certified": True}, "others": {"certified": True}, "place": {"certified": False}}
    certificates.write_certificate(some, {"roles": roles})
    scoring = opened(some)
    item = scoring.items()[0][0]
    values = by_id(scoring.score([(item, drawn(item))])[0])
    assert values["tf_ap"].status == Status.SKIPPED
    assert values["tf_ap"].reason == "the truth of the stems is not certified on this model: place"
    assert all(values[name].status == Status.OK for name in ("swap_corr", "deletion_drop@25", "truth_density"))


def test_stems_say_nothing_of_a_sound_that_starts_from_noise(
    opened: Opened, model: FakeBandModel, tmp_path: Path
) -> None:
    model.strength = 0.0
    scoring = opened(task(tmp_path / "task"))
    item = scoring.items()[0][0]
    values = by_id(scoring.score([(item, drawn(item))])[0])
    assert "noise alone" in values["tf_ap"].reason
    assert values["swap_corr"].status == Status.OK


def test_what_the_judge_does_not_hear_leaves_deletion_undefined(
    opened: Opened, model: FakeBandModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaf = FakeJudge(model)
    deaf.labels = ("Dog",) * len(deaf.labels)
    monkeypatch.setattr(loading, "load_judges", lambda task, names, device: {"cnn": deaf})
    scoring = opened(task(tmp_path / "task"))
    item = scoring.items()[0][0]
    values = by_id(scoring.score([(item, drawn(item))])[0])
    assert values["deletion_drop@25"].reason == "the judge hears none of the named instruments in this sound"
    assert values["tf_ap"].status == Status.OK


def test_a_card_without_deletion_asks_no_judge_and_generates_nothing(
    opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scoring = opened(task(tmp_path / "task", [{"metric": "tf_ap"}, {"metric": "swap_corr"}], judge=False))
    pairs = [(item, drawn(item)) for item in scoring.items()[0]]
    scoring.originals.pairs(0, scoring.model)
    monkeypatch.setattr(FakeBandModel, "generate", None)
    found = scoring.score(pairs, tmp_path / "exhibits")
    assert all(value.status == Status.OK for values in found for value in values)
    assert not list((tmp_path / "exhibits").glob("*.ogg"))


def test_maps_and_sounds_without_attention_are_left(opened: Opened, model: FakeBandModel, tmp_path: Path) -> None:
    scoring = opened(task(tmp_path / "task"))
    item = scoring.items()[0][0]
    told = scoring.score([(item, drawn(item))], tmp_path / "exhibits")
    found = manifest(tmp_path / "exhibits", item.id)
    assert found["problem"] == ""
    assert [(each["kind"], each["label"], each["part"], each["path"]) for each in found["exhibits"]] == [
        ("sound", "deleted", "bass", "clip-0.deleted-bass.ogg"),
        ("sound", "deleted", "flute", "clip-0.deleted-flute.ogg"),
        ("picture", "map", "bass", "clip-0.map-bass.png"),
        ("picture", "map", "flute", "clip-0.map-flute.png"),
    ]
    assert soundfile.info(tmp_path / "exhibits" / "clip-0.deleted-bass.ogg").frames == model.frames * 64
    assert Image.open(tmp_path / "exhibits" / "clip-0.map-bass.png").size == (model.frames, model.bins)
    assert told == scoring.score([(item, drawn(item))])


def test_pictures_are_left_of_the_first_items_alone(
    opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(band_scoring, "DRAWN", 1)
    scoring = opened(task(tmp_path / "task"))
    items = scoring.items()[0]
    scoring.score([(item, drawn(item)) for item in items], tmp_path / "exhibits")
    assert {path.name.partition(".")[0] for path in (tmp_path / "exhibits").glob("*.png")} == {items[0].id}


def test_an_exhibit_that_cannot_be_made_costs_no_value(
    opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scoring = opened(task(tmp_path / "task"))
    item = scoring.items()[0][0]
    expected = scoring.score([(item, drawn(item))])
    monkeypatch.setattr("earwitness.exhibits.band.blend", lambda features, weights: {}[1])
    assert scoring.score([(item, drawn(item))], tmp_path / "exhibits") == expected
    found = manifest(tmp_path / "exhibits", item.id)
    assert found == {"item": item.id, "problem": "KeyError: 1", "exhibits": []}


def test_a_class_of_several_names_is_found_by_any() -> None:
    assert classes_of("violin", ("Drum", "Violin, fiddle", "Violin")) == [1, 2]
    assert classes_of("guitar", ("Bass guitar",)) == []


@pytest.mark.parametrize(
    ("metric", "says"),
    [
        ({"metric": "fid_f"}, "explanations of the prompt track and this task is of the band track"),
        ({"metric": "tf_ap", "parameters": {"cut": "half"}}, "parameter cut is unknown; known: none"),
        ({"metric": "tf_iou", "parameters": {"cut": "third"}}, "cut must be 'density' or 'half', not 'third'"),
        ({"metric": "deletion_drop", "parameters": {"top": 0}}, "top must be greater than or equal to 1, not 0"),
        ({"metric": "deletion_drop", "parameters": {"top": "25"}}, "top must be a valid integer, not '25'"),
        ({"metric": "tf_pointing", "parameters": {"tolerance": 1.5}}, "tolerance must be a valid integer"),
        ({"metric": "deletion_drop", "parameters": {"judge": "ast"}}, "judge is one of cnn, not 'ast'"),
    ],
)
def test_a_card_that_asks_what_the_track_has_not_is_refused(
    opened: Opened, tmp_path: Path, metric: dict[str, Any], says: str
) -> None:
    with pytest.raises(InvalidCardError, match=says):
        opened(task(tmp_path / "task", [metric]))


def test_a_card_that_needs_a_judge_and_has_none_is_refused(opened: Opened, tmp_path: Path) -> None:
    with pytest.raises(InvalidCardError, match="asks a judge, and the card has none"):
        opened(task(tmp_path / "task", [{"metric": "deletion_drop"}], judge=False))
