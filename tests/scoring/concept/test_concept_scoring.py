"""Scoring of the concept track on planted latents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from concept_fakes import FakeConceptModel, fake_record, planted
from concept_scoring_fakes import METRICS, dataset, estimators, holding, raw, task, untrained
from earwitness.datasets import ConceptRecord
from earwitness.errors import InvalidCardError, InvalidItemError
from earwitness.metrics import probing
from earwitness.results.rows import Status
from earwitness.scoring import Setting, Value, loading
from earwitness.scoring.concept.features import Features, thinned
from earwitness.scoring.concept.scoring import ConceptScoring, open_scoring
from earwitness.scoring.concept.steering import Steering, patterns
from earwitness.task import Task
from earwitness.tracks.concept import Activation, Dictionaries, Dictionary

Opened = Callable[..., ConceptScoring]


@pytest.fixture
def model() -> FakeConceptModel:
    return FakeConceptModel()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model: FakeConceptModel) -> Opened:
    adapter = dataset(ESTIMATORS=estimators(model, planted(model.width)))
    monkeypatch.setattr(loading, "load_model", lambda task, device: model)
    monkeypatch.setattr(loading, "adapter", lambda package, name, task: adapter)

    def open_with(some: Task, records: list[ConceptRecord] | None = None) -> ConceptScoring:
        found = records or [
            fake_record(model, 0, "plain"),
            fake_record(model, 1, "moved", correlated=True),
        ]
        monkeypatch.setattr(loading, "load_records", lambda setting: found)
        return open_scoring(Setting(some, cache=tmp_path / "cache"))

    return open_with


def by_id(values: list[Value]) -> dict[str, Value]:
    return {value.metric: value for value in values}


def scored(scoring: ConceptScoring, dictionary: Any, other: Any = None) -> dict[str, dict[str, Value]]:
    """Values of one dictionary (and its twin under the other seed) by item and metric."""
    both = Dictionaries((dictionary, other or dictionary))
    return {item.id: by_id(scoring.score([(item, both)])[0]) for item in scoring.items()[0]}


def test_every_metric_has_a_value_on_the_items_that_it_reads(
    opened: Opened, model: FakeConceptModel, tmp_path: Path
) -> None:
    found = scored(opened(task(tmp_path / "task")), raw(model.width))
    of_moved = {"probe_r2@correlated", "fvu", "l0", "dead", "stability"}
    for item, values in found.items():
        assert len(values) == len(METRICS)
        for metric, value in values.items():
            reads = metric in of_moved if item == "moved" else metric != "probe_r2@correlated"
            assert value.status == (Status.OK if reads else Status.SKIPPED), (item, metric, value.reason)
    assert (
        found["moved"]["probe_r2"].reason == "loudness and brightness move together in the training clips of this item"
    )


def test_values_are_those_of_the_metrics_on_clip_means(opened: Opened, model: FakeConceptModel, tmp_path: Path) -> None:
    scoring = opened(task(tmp_path / "task"))
    item = scoring.items()[0][0]
    known = scoring.originals.held_out(0, model)[item.id]
    values = scored(scoring, raw(model.width))["plain"]
    train, test = item.train.mean(1, dtype=np.float64), known.latents.mean(1, dtype=np.float64)
    each = [probing.probe_r2(train, known.train[:, k], test, known.test[:, k]) for k in range(3)]
    assert values["probe_r2"].value == pytest.approx(np.mean(each), abs=1e-6)
    assert values["probe_r2@pitch"].value == pytest.approx(each[known.names.index("pitch")], abs=1e-6)
    assert values["fvu"].value == pytest.approx(0.0, abs=1e-9)
    assert values["stability"].value == pytest.approx(1.0)


def test_a_wave_has_a_root_mean_square_where_it_has_no_mean(
    opened: Opened, model: FakeConceptModel, tmp_path: Path
) -> None:
    scoring = opened(task(tmp_path / "task"))
    item = scoring.items()[0][0]
    known = scoring.originals.held_out(0, model)[item.id]
    wave = np.random.default_rng(0).choice([-2.0, 2.0], size=item.train.shape).astype(np.float32)
    features = Features(replace(item, train=wave), known, raw(model.width))
    means, sizes = (features.of_clips(pooling)[0] for pooling in ("mean", "rms"))
    np.testing.assert_allclose(sizes, 2.0)
    np.testing.assert_allclose(means, wave.mean(1), atol=1e-6)
    assert features.of_clips("rms")[1].shape == (len(known.latents), model.width)


def test_features_that_hold_the_factors_probe_sparsely_and_untrained_ones_do_not(
    opened: Opened, model: FakeConceptModel, tmp_path: Path
) -> None:
    cards = [
        {"metric": "sparse_probe_r2", "parameters": {"factor": name, "k": 1}} for name in ("loudness", "brightness")
    ]
    scoring = opened(task(tmp_path / "task", cards))
    real = scored(scoring, holding(planted(model.width)))["plain"]
    blind = scored(scoring, untrained(model.width, 32, 0), untrained(model.width, 32, 1))["plain"]
    for name in real:
        assert (real[name].value or 0) > 0.6
        assert (real[name].value or 0) > (blind[name].value or 0) + 0.3


def test_an_untrained_dictionary_under_another_seed_has_other_features(
    opened: Opened, model: FakeConceptModel, tmp_path: Path
) -> None:
    scoring = opened(task(tmp_path / "task", [{"metric": "stability"}, {"metric": "fvu"}, {"metric": "l0"}]))
    values = scored(scoring, untrained(model.width, 32, 0), untrained(model.width, 32, 1))["plain"]
    assert (values["stability"].value or 0) < 0.6
    assert (values["fvu"].value or 0) > 0.5
    assert values["l0"].value == pytest.approx(1.0, abs=0.05)


def test_steering_along_the_planted_axis_moves_its_factor_alone(
    opened: Opened, model: FakeConceptModel, tmp_path: Path
) -> None:
    scoring = opened(task(tmp_path / "task"))
    values = scored(scoring, holding(planted(model.width)))["plain"]
    assert (values["steer@loudness"].value or 0) > 0.85
    blind = scored(scoring, untrained(model.width, 32, 0))["plain"]
    assert (values["steer@loudness+1"].value or 0) > (blind["steer@loudness+1"].value or 0) + 0.2


def test_every_dictionary_moves_latents_as_far(model: FakeConceptModel, opened: Opened, tmp_path: Path) -> None:
    from earwitness.scoring.concept.features import Features

    scoring = opened(task(tmp_path / "task"))
    item = scoring.items()[0][0]
    known = scoring.originals.held_out(0, model)[item.id]
    sizes = [
        float(np.linalg.norm(Steering(model, {}).shift(Features(item, known, dictionary), known, 1, k)))
        for dictionary in (raw(model.width), holding(planted(model.width)), untrained(model.width, 32, 0))
        for k in (0, 1)
    ]
    own = patterns(item.train.mean(1, dtype=np.float64), known.train)[1]
    assert sizes == pytest.approx([float(np.linalg.norm(own))] * 6, rel=1e-5)


def test_patterns_hold_the_other_factors_still() -> None:
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(400, 2))
    factors[:, 1] += 2 * factors[:, 0]
    means = np.stack([factors[:, 0], 3 * factors[:, 1]], 1)
    found = patterns(means, factors)
    assert found == pytest.approx(np.diag(factors.std(0) * [1, 3]), abs=1e-9)


def test_a_factor_without_an_estimator_is_a_reason_not_a_crash(
    opened: Opened, model: FakeConceptModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scoring = opened(task(tmp_path / "task"))
    monkeypatch.setattr(loading, "adapter", lambda package, name, task: dataset())
    value = scored(scoring, raw(model.width))["plain"]["steer@loudness"]
    assert value.status == Status.SKIPPED
    assert value.reason == "no estimator measures pitch, loudness, brightness"


def test_what_is_known_comes_back_from_disk_and_from_items_alone(
    opened: Opened, model: FakeConceptModel, tmp_path: Path
) -> None:
    before = opened(task(tmp_path / "task"))
    items, known = before.items()[0], before.originals.held_out(0, model)
    after = opened(task(tmp_path / "task"))
    for path in (tmp_path / "cache").rglob("known-*.safetensors"):
        path.unlink()
    again = after.originals.held_out(0, model)
    for one, other in zip(items, after.items()[0], strict=True):
        assert np.array_equal(one.train, other.train)
        assert np.array_equal(known[one.id].latents, again[one.id].latents)
        assert known[one.id].names == again[one.id].names
        assert one.explainer_seeds == other.explainer_seeds
        assert len(set(one.explainer_seeds)) == 2


def test_a_clip_that_is_no_use_is_one_line_and_the_rest_is_scored(
    opened: Opened, model: FakeConceptModel, tmp_path: Path
) -> None:
    from dataclasses import replace

    good = fake_record(model, 0, "good")

    def broken(rate: int) -> list[Any]:
        raise InvalidItemError("a.wav is silent")

    bad = replace(fake_record(model, 1, "bad"), test=replace(good.test, audio=broken))
    items, problems = opened(task(tmp_path / "task"), [bad, good]).items()
    assert [item.id for item in items] == ["good"]
    assert [(problem.item, problem.reason) for problem in problems] == [("bad", "a.wav is silent")]


@pytest.mark.parametrize(
    ("card", "message"),
    [
        ({"metric": "tf_ap"}, "explanations of the band track and this task is of the concept track"),
        ({"metric": "fvu", "parameters": {"k": 1}}, "parameter k is unknown; known: none"),
        (
            {"metric": "sparse_probe_r2", "parameters": {"factor": "pitch", "k": 0}},
            "k must be greater than or equal to 1",
        ),
        ({"metric": "probe_r2", "parameters": {"factor": "colour"}}, "has no factor 'colour'; factors: brightness"),
    ],
)
def test_a_card_that_asks_for_nonsense_is_refused(
    opened: Opened, tmp_path: Path, card: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidCardError, match=message):
        opened(task(tmp_path / "task", [card]))


def test_frames_are_thinned_where_features_are_many() -> None:
    latents = np.arange(600, dtype=np.float32).reshape(10, 20, 3)
    assert thinned(latents, 8).shape == (200, 3)
    assert thinned(latents, 20_000_000 // 50).shape[0] <= 50


def test_factors_that_are_no_numbers_are_a_problem_of_their_item(
    opened: Opened, model: FakeConceptModel, tmp_path: Path
) -> None:
    from dataclasses import replace

    good = fake_record(model, 0, "good")
    odd = {**good.test.factors, "loudness": np.full(40, np.nan)}
    short = {name: values[:-1] for name, values in good.test.factors.items()}
    records = [
        replace(good, id="odd", test=replace(good.test, factors=odd)),
        replace(good, id="short", test=replace(good.test, factors=short)),
        good,
    ]
    items, problems = opened(task(tmp_path / "task"), records).items()
    assert [item.id for item in items] == ["good"]
    assert [problem.reason for problem in problems] == [
        "factors are no numbers in some clips: loudness",
        "there are 40 clips and 39 rows of factors",
    ]


@pytest.mark.parametrize("size", [3e38, 0.0])
def test_numbers_that_overflow_or_divide_by_zero_are_rows_and_cost_no_other_dictionary(
    opened: Opened, model: FakeConceptModel, tmp_path: Path, size: float
) -> None:
    scoring = opened(task(tmp_path / "task"))
    (item, *_) = scoring.items()[0]
    square = (size * np.eye(model.width)).astype(np.float32)
    nothing = np.zeros(model.width, np.float32)
    large = Dictionary(square, nothing, square, nothing, Activation.IDENTITY)
    bad, good = (Dictionaries((each, each)) for each in (large, raw(model.width)))
    values = scoring.score([(item, bad), (item, good)], tmp_path / "exhibits")
    assert [len(own) for own in values] == [len(METRICS), len(METRICS)]
    for value in values[0]:
        finite = value.value is not None and np.isfinite(value.value)
        assert finite if value.status == Status.OK else value.reason
    if size:
        assert any(value.status == Status.FAILED for value in values[0])
    assert by_id(values[1]) == by_id(scoring.score([(item, good)])[0])
