"""The scoring of the speech track on a model small enough to compute by hand."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from earwitness.authoring import certificates
from earwitness.authoring.speech.training_speech import summarise, write_training
from earwitness.errors import InvalidCardError
from earwitness.results.rows import Status
from earwitness.scoring import Setting, Value, loading
from earwitness.scoring.measured import measured
from earwitness.scoring.speech.removal import tie_seed
from earwitness.scoring.speech.scoring import SpeechScoring, open_scoring
from earwitness.task import Task, read_task
from earwitness.tracks.speech import Fill, SpeechItem, SpeechMap
from manifests import manifest
from speech_fakes import FakeSpeechModel
from speech_scoring_fakes import METRICS, broken, records, task


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> FakeSpeechModel:
    fake = FakeSpeechModel()
    monkeypatch.setattr(loading, "load_model", lambda task, device: fake)
    monkeypatch.setattr(loading, "load_records", lambda setting: records(setting.task.card.dataset.items, fake))
    return fake


def opened(some: Task, tmp_path: Path) -> SpeechScoring:
    return open_scoring(Setting(some, cache=tmp_path / "cache"))


def drawn(item: SpeechItem, seed: int = 0) -> SpeechMap:
    rng = np.random.default_rng(seed)
    count = len(item.tokens)
    return SpeechMap(rng.random((count, *item.features.shape)), np.tril(rng.random((count, count)), -1))


def by_id(values: list[Value]) -> dict[str, Value]:
    return {value.metric: value for value in values}


def test_items_hold_what_the_model_heard_and_nothing_of_the_truth(model: FakeSpeechModel, tmp_path: Path) -> None:
    scoring = opened(task(tmp_path / "task"), tmp_path)
    items, problems = scoring.items()
    assert not problems
    for item in items:
        assert item.text == scoring.record(item.id).reference
        assert set(item.fields()) == {"id", "explainer_seed", "text", "pieces"}
        assert (scoring.originals.folder / f"{item.id}.original.ogg").is_file()
    again, _ = opened(task(tmp_path / "task"), tmp_path).items()
    np.testing.assert_array_equal(again[0].features, items[0].features)


def test_a_record_that_is_no_use_is_a_problem_and_the_rest_are_items(
    model: FakeSpeechModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = records(2, model)
    quiet = good[0].__class__("quiet", "go", "quiet", lambda rate: np.zeros(rate, dtype=np.float32))
    late = good[1].__class__(
        "late", good[1].reference, "late", lambda rate: good[1].audio(rate)[: rate // 2], good[1].truth
    )
    found = [good[0], broken("a.wav: silent"), quiet, late]
    monkeypatch.setattr(loading, "load_records", lambda setting: found)
    items, problems = opened(task(tmp_path / "task"), tmp_path).items()
    assert [item.id for item in items] == [good[0].id]
    reasons = {problem.item: problem.reason for problem in problems}
    assert reasons["broken"] == "a.wav: silent"
    assert "transcribes it to nothing" in reasons["quiet"]
    assert "end" in reasons["late"]
    assert not any("\n" in reason for reason in reasons.values())


def test_every_metric_of_the_card_has_a_value_or_a_reason(model: FakeSpeechModel, tmp_path: Path) -> None:
    scoring = opened(task(tmp_path / "task"), tmp_path)
    item = scoring.items()[0][0]
    values = by_id(scoring.score([(item, drawn(item))])[0])
    skipped = {name: value.reason for name, value in values.items() if value.status == Status.SKIPPED}
    assert set(skipped) == {"deletion_shift", "interval_ap", "pointing@phoneme", "mass_inside@word", "prefix_ap"}
    assert "no training speech" in skipped["deletion_shift"]
    assert "not certified" in skipped["interval_ap"]
    assert len(values) == len(METRICS)


def test_deletion_is_that_of_a_literal_version(model: FakeSpeechModel, tmp_path: Path) -> None:
    scoring = opened(task(tmp_path / "task"), tmp_path)
    item = scoring.items()[0][1]
    explanation = drawn(item)
    values = by_id(scoring.score([(item, explanation)])[0])
    mean = np.broadcast_to(item.features.mean(0), item.features.shape)
    wanted = scoring.record(item.id).reference.split()
    scores = explanation.spectrogram.mean(0).reshape(-1)
    rates = []
    for share in np.arange(21) / 20:
        features = item.features.copy().reshape(-1)
        for cell in np.argsort(-scores)[: round(share * scores.size)]:
            features[cell] = mean.reshape(-1)[cell]
        tokens = model.transcribe(torch.from_numpy(features.reshape(1, *item.features.shape)))[0]
        rates.append(min(len(wanted), distance(wanted, model.text(tokens.tolist()).split())) / scoring.mean_words)
    expected = sum((a + b) / 2 for a, b in itertools.pairwise(rates)) / 20
    assert values["deletion_wer@mean+reference"].value == pytest.approx(expected)
    assert expected > 0

    areas = []
    for k in range(len(item.tokens)):
        own, cells = [], explanation.spectrogram[k].reshape(-1)
        for share in np.arange(21) / 20:
            features = item.features.copy().reshape(-1)
            gone = np.argsort(-cells)[: round(share * cells.size)]
            features[gone] = mean.reshape(-1)[gone]
            logits = model.logits(torch.from_numpy(features.reshape(1, *item.features.shape)), tokens_of(item))
            own.append(logits.double().softmax(-1)[0, k, item.tokens[k]].item())
        left = [min(1, p / own[0]) for p in own]
        areas.append(sum((a + b) / 2 for a, b in itertools.pairwise(left)) / 20)
    assert values["deletion_token@mean"].value == pytest.approx(np.mean(areas), abs=1e-6)


def tokens_of(item: SpeechItem) -> torch.Tensor:
    return torch.from_numpy(item.tokens[None])


def distance(a: list[str], b: list[str]) -> int:
    table = [[i + j if i * j == 0 else 0 for j in range(len(b) + 1)] for i in range(len(a) + 1)]
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            swap = table[i - 1][j - 1] + (a[i - 1] != b[j - 1])
            table[i][j] = min(table[i - 1][j] + 1, table[i][j - 1] + 1, swap)
    return table[-1][-1]


def test_a_map_that_ties_everywhere_is_ranked_by_the_items_seed_for_every_entrant(
    model: FakeSpeechModel, tmp_path: Path
) -> None:
    scoring = opened(task(tmp_path / "task"), tmp_path)
    item = scoring.items()[0][0]
    count = len(item.tokens)
    flat = [SpeechMap(np.full((count, *item.features.shape), v), np.zeros((count, count))) for v in (0.0, 0.7)]
    first, second = scoring.score([(item, explanation) for explanation in flat])
    unlike = {"size_spectrogram"}
    assert [v for v in first if v.metric not in unlike] == [v for v in second if v.metric not in unlike]


def test_the_same_pairs_give_the_same_values(model: FakeSpeechModel, tmp_path: Path) -> None:
    scoring = opened(task(tmp_path / "task"), tmp_path)
    pairs = [(item, drawn(item, i)) for i, item in enumerate(scoring.items()[0])]
    assert scoring.score(pairs) == scoring.score(pairs)
    assert scoring.score(pairs[1:2]) == scoring.score(pairs)[1:2]


def test_a_fine_grid_takes_curves_at_more_shares_and_is_another_metric(model: FakeSpeechModel, tmp_path: Path) -> None:
    even, fine = task(tmp_path / "even"), task(tmp_path / "fine", scoring={"grid": "fine"})
    one, other = measured(even), measured(fine)
    curves_of = {name for name in one if "sertion" in name or "deletion" in name} - {"deletion_prefix"}
    assert {name for name in one if one[name] != other[name]} == curves_of
    values = {}
    for some, points in ((even, 21), (fine, 29)):
        scoring = opened(some, tmp_path / str(points))
        item = scoring.items()[0][0]
        curves = scoring.curves(item, drawn(item))
        assert len(curves.transcripts(Fill.MEAN, False)) == len(curves.shares) == points
        assert curves.probabilities(Fill.MEAN).shape[-1] == points
        values[points] = by_id(scoring.score([(item, drawn(item))])[0])
    both = [values[points]["deletion_token@mean"].value for points in (21, 29)]
    assert both[0] != both[1]
    assert both[0] == pytest.approx(both[1], abs=0.05)


def test_the_published_grid_beside_a_fine_one_is_that_of_a_card_at_it(model: FakeSpeechModel, tmp_path: Path) -> None:
    beside = [*METRICS, {"metric": "deletion_wer_even", "parameters": {"fill": "mean", "against": "reference"}}]
    values = {}
    for grid in ("even", "fine"):
        scoring = opened(task(tmp_path / grid, beside, scoring={"grid": grid}), tmp_path / f"{grid} cache")
        item = scoring.items()[0][0]
        values[grid] = by_id(scoring.score([(item, drawn(item))])[0])
    card = values["even"]["deletion_wer@mean+reference"].value
    assert values["fine"]["deletion_wer_even@mean+reference"].value == pytest.approx(card)
    assert values["even"]["deletion_wer_even@mean+reference"].value == pytest.approx(card)
    assert values["fine"]["deletion_wer@mean+reference"].value != pytest.approx(card)


def test_of_tokens_that_are_drawn_curves_are_those_among_all(model: FakeSpeechModel, tmp_path: Path) -> None:
    whole, few = task(tmp_path / "whole"), task(tmp_path / "few", scoring={"tokens": 2})
    one, other = measured(whole), measured(few)
    assert {name for name in one if one[name] != other[name]} == {
        "deletion_token@mean",
        "deletion_token_others@marginal",
    }
    every, some = opened(whole, tmp_path / "one"), opened(few, tmp_path / "other")
    seen = set()
    for item in every.items()[0]:
        curves = some.curves(item, drawn(item))
        assert curves.drawn.tolist() == sorted(set(curves.drawn.tolist()))
        assert len(curves.drawn) == min(2, len(item.tokens))
        assert curves.drawn.tolist() == some.curves(item, drawn(item, 1)).drawn.tolist(), "the same for every entrant"
        expected = every.curves(item, drawn(item)).probabilities(Fill.MEAN)[np.ix_(curves.drawn, curves.drawn)]
        np.testing.assert_allclose(curves.probabilities(Fill.MEAN), expected, atol=1e-7)
        seen |= set(curves.drawn.tolist())
        values = by_id(some.score([(item, drawn(item))])[0])
        assert values["deletion_token@mean"].status == Status.OK
    assert len(seen) > 2


def test_what_every_map_leaves_alike_is_asked_once(
    model: FakeSpeechModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scoring = opened(task(tmp_path / "task"), tmp_path)
    item = scoring.items()[0][0]
    explanation, count = drawn(item), len(item.tokens)
    asked: list[int] = []
    usual = scoring.respondent.probabilities

    def probabilities(item: SpeechItem, rows: np.ndarray) -> np.ndarray:
        asked.append(len(rows))
        return usual(item, rows)

    monkeypatch.setattr(scoring.respondent, "probabilities", probabilities)
    found = scoring.curves(item, explanation).probabilities(Fill.MEAN)
    assert asked == [21, *[19] * (count - 1)]
    mean = np.broadcast_to(item.features.mean(0), item.features.shape)
    ends = usual(item, np.stack([item.features, mean]).astype(np.float32)).T
    for own in found:
        np.testing.assert_allclose(own[:, [0, -1]], ends, atol=1e-7)


def test_transcripts_are_bounded_by_the_original_as_the_card_says(
    model: FakeSpeechModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int | None] = []

    def transcribe(features: torch.Tensor, beams: int = 5, most: int | None = None) -> list[np.ndarray]:
        if len(features) > 1:  # and none of the originals
            asked.append(most)
        return [np.zeros(most or 4, dtype=np.int64)] * len(features)

    def bounds(name: str, item: SpeechItem, scoring: dict[str, float] | None = None) -> set[int | None]:
        asked.clear()
        some = opened(task(tmp_path / name, METRICS[:3], scoring=scoring), tmp_path / name)
        some.curves(item, drawn(item)).transcripts(Fill.MEAN, False)
        return set(asked)

    item = opened(task(tmp_path / "task"), tmp_path).items()[0][0]
    monkeypatch.setattr(model, "transcribe", transcribe)
    assert len(item.tokens) == 5
    assert bounds("least", item) == {20}
    assert bounds("wider", item, {"bound": 10.0}) == {50}
    assert bounds("longer", replace(item, tokens=np.zeros(9, dtype=np.int64))) == {27}


def test_another_bound_is_another_metric_of_transcripts_alone(model: FakeSpeechModel, tmp_path: Path) -> None:
    usual, other = (
        measured(task(tmp_path / name, scoring=scoring))
        for name, scoring in (("usual", {"bound": 3.0}), ("other", {"bound": 2.5}))
    )
    changed = {name for name in usual if usual[name] != other[name]}
    assert changed == {"deletion_wer@mean+reference", "insertion_wer@mean+hypothesis", "deletion_bleu"}


@pytest.mark.parametrize("bound", [0.5, "long", 1e9])
def test_a_bound_that_is_none_is_refused_in_one_line(tmp_path: Path, bound: object) -> None:
    with pytest.raises(InvalidCardError, match=r"scoring\.bound") as refused:
        measured(task(tmp_path / "task", scoring={"bound": bound}))  # type: ignore[dict-item]
    assert "\n" not in str(refused.value)


def test_intervals_are_scored_once_they_are_certified(model: FakeSpeechModel, tmp_path: Path) -> None:
    some = task(tmp_path / "task")
    roles = {"word": {"certified": True}, "phoneme": {"certified": False}, "prefix": {"certified": True}}
    certificates.write_certificate(some, {"roles": roles})
    scoring = opened(some, tmp_path)
    item = scoring.items()[0][0]
    known = scoring.inside(item, "word")
    assert known is not None
    count = len(item.tokens)
    truth = SpeechMap(np.repeat(known[:, :, None], model.bins, 2), np.zeros((count, count)))
    values = by_id(scoring.score([(item, truth)])[0])
    assert (values["interval_ap"].value, values["mass_inside@word"].value) == (1.0, 1.0)
    # All earlier tokens tie, so the precision is the share of them that the first word has.
    told = [k for k in range(count) if item.words[k] >= 2]
    assert values["prefix_ap"].value == pytest.approx(np.mean([(item.words[:k] == 0).mean() for k in told]))


def test_intervals_of_recordings_are_scored_unless_a_certificate_refutes_them(
    model: FakeSpeechModel, tmp_path: Path
) -> None:
    card = (task(tmp_path / "task").folder / "task.toml").read_text()
    (tmp_path / "task" / "task.toml").write_text(card.replace('"spoken"', '"librispeech"'))
    some = read_task(tmp_path / "task")
    item = opened(some, tmp_path).items()[0][0]
    values = by_id(opened(some, tmp_path).score([(item, drawn(item))])[0])
    assert {values[name].status for name in ("interval_ap", "mass_inside@word", "pointing@phoneme")} == {Status.OK}
    certificates.write_certificate(some, {"roles": {"word": {"certified": False}}})
    values = by_id(opened(some, tmp_path).score([(item, drawn(item))])[0])
    assert values["interval_ap"].reason == "intervals of the level word are not certified on this model"
    assert values["pointing@phoneme"].status == Status.OK


def test_distances_and_marginals_come_from_training_speech_where_it_is_stored(
    model: FakeSpeechModel, tmp_path: Path
) -> None:
    some = task(tmp_path / "task")
    scoring = opened(some, tmp_path)
    spectrograms = [item.features for item in scoring.items()[0]]
    write_training(some, summarise(spectrograms[:3], spectrograms[3:]))
    scoring = opened(some, tmp_path)
    item = scoring.items()[0][3]
    values = by_id(scoring.score([(item, drawn(item))])[0])
    shift = values["deletion_shift"]
    assert shift.status == Status.OK
    assert shift.value is not None
    assert shift.value > 0
    assert scoring.training.marginal.shape == (101, model.bins)


def test_curves_and_the_mean_map_are_left_for_the_page(model: FakeSpeechModel, tmp_path: Path) -> None:
    scoring = opened(task(tmp_path / "task"), tmp_path)
    item = scoring.items()[0][0]
    expected = scoring.score([(item, drawn(item))])
    assert scoring.score([(item, drawn(item))], tmp_path / "exhibits") == expected
    found = manifest(tmp_path / "exhibits", item.id)["exhibits"]
    assert [(each["kind"], each["label"]) for each in found] == [
        ("sound", "alone"),
        ("document", "compared"),
        ("curve", "curves"),
        ("picture", "map"),
        ("document", "removal"),
        ("sound", "without"),
    ]
    alone, left = (soundfile.read(tmp_path / "exhibits" / found[place]["path"])[0] for place in (0, 5))
    whole = scoring.record(item.id).audio(model.sample_rate)
    assert np.corrcoef(left + alone, whole)[0, 1] > 0.95
    found = found[1:]
    compared = json.loads((tmp_path / "exhibits" / found[0]["path"]).read_text())
    assert (compared["normaliser"], compared["errors"]) == ("unicode", 0)
    assert compared["wanted"] == compared["found"] == scoring.record(item.id).reference
    curves = json.loads((tmp_path / "exhibits" / found[1]["path"]).read_text())
    assert curves["x"]["values"] == pytest.approx(np.linspace(0, 100, 21).tolist())
    assert curves["lines"]["token probability, mean filled in"][0] == pytest.approx(1.0)
    assert set(curves["lines"]) == {
        "token probability, mean filled in",
        "token probability, training speech filled in",
        "word errors, mean filled in",
    }
    assert Image.open(tmp_path / "exhibits" / found[2]["path"]).size == item.features.shape
    removal = json.loads((tmp_path / "exhibits" / found[3]["path"]).read_text())
    assert removal["tie_seed"] == tie_seed(scoring.setting.task.seed_key, item.id)
    assert removal["shares"] == pytest.approx(np.linspace(0, 1, 21).tolist())
    assert removal["transcripts"] == {"mean": scoring.curves(item, drawn(item)).transcripts(Fill.MEAN, False)}
    assert len(removal["hz"]) == model.bins


@pytest.mark.parametrize(
    ("metric", "says"),
    [
        ({"metric": "fid_f"}, "explanations of the prompt track and this task is of the speech track"),
        (
            {"metric": "deletion_wer", "parameters": {"mask": "top30"}},
            "mask is unknown; known: against, fill",
        ),
        (
            {"metric": "deletion_wer", "parameters": {"fill": "zero"}},
            "fill must be 'mean', 'marginal', 'inpaint' or 'shuffle', not 'zero'",
        ),
    ],
)
def test_a_card_that_asks_what_the_track_has_not_is_refused(
    model: FakeSpeechModel, tmp_path: Path, metric: dict[str, object], says: str
) -> None:
    with pytest.raises(InvalidCardError, match=says):
        opened(task(tmp_path / "task", [metric]), tmp_path)
