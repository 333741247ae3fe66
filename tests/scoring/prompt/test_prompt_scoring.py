from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from earwitness import scoring
from earwitness.authoring import ceilings, certificates
from earwitness.errors import EarwitnessError, InvalidCardError
from earwitness.metrics.fidelity import fid_cf, fid_f
from earwitness.results.rows import Status
from earwitness.scoring import Setting, Value
from earwitness.scoring.certificates import folder as folder_of
from earwitness.scoring.prompt import truth
from earwitness.task import Task
from earwitness.tracks.prompt import PromptItem, TokenMap
from earwitness.worlds.scene_captions import PUBLIC
from manifests import manifest
from scoring_fakes import FRAMES, FakeModel, heard, task

METRICS = [
    {"metric": "fid_f", "parameters": {"mask": "top30"}},
    {"metric": "fid_cf", "parameters": {"mask": "top30"}},
    {"metric": "kl_cf", "parameters": {"mask": "soft"}},
    {"metric": "logit_kl_f", "parameters": {"mask": "top30"}},
    {"metric": "fid_noise"},
    {"metric": "size"},
    {"metric": "word_ap", "parameters": {"roles": "class"}},
    {"metric": "shapley_spearman"},
]


def opened(folder: Path, metrics: list[dict[str, object]] = METRICS, **changes: object) -> Any:
    return scoring.load(Setting(task(folder / "task", metrics), cache=folder / "cache", **changes))  # type: ignore[arg-type]


def on(item: PromptItem, *words: str) -> TokenMap:
    """An explanation that marks these words, in this order."""
    ranks = {word: 1 - place / 10 for place, word in enumerate(words)}
    return TokenMap(np.array([ranks.get(token, 0.0) for token in item.tokens]))


def classes(item: PromptItem) -> list[str]:
    every = {word for words in PUBLIC.classes.values() for word in words}
    return [token for token in item.tokens if token in every]


def value(values: list[Value], metric: str, seed: int = 0) -> Value:
    (found,) = [v for v in values if v.metric == metric and v.generation_seed == seed]
    return found


def test_items_are_public_and_in_the_datasets_order(tmp_path: Path, model: FakeModel) -> None:
    items, problems = opened(tmp_path).items()
    assert [item.id for item in items] == [f"test-{number:05d}" for number in range(6)]
    assert problems == []
    assert opened(tmp_path, items=2).items()[0][1].fields() == items[1].fields()
    assert [item.id for item in opened(tmp_path).items([items[4].id, items[1].id])[0]] == [items[1].id, items[4].id]


def test_every_item_has_a_cluster(tmp_path: Path, model: FakeModel) -> None:
    some = opened(tmp_path, items=3)
    assert list(some.clusters()) == [item.id for item in some.items()[0]]


def test_values_are_those_of_the_masked_sounds(tmp_path: Path, model: FakeModel) -> None:
    some = opened(tmp_path)
    item = some.items()[0][0]
    # Of eleven words a mask of 30 % keeps three; the caption has one more that names a class.
    marked, rest = classes(item)[:3], classes(item)[3:]
    assert (len(item.tokens), len(rest)) == (12, 1)
    (values,) = some.score([(item, on(item, *marked))])
    # The fake's decoded original is the same for every code: all words at a tenth.
    original = np.full(8, 1 / 8)
    kept, removed = heard(*marked), heard(*rest)
    top = int(np.argmax(original))
    assert value(values, "fid_f@top30").value == pytest.approx(original[top] - kept[top], abs=1e-6)
    assert value(values, "fid_f@top30").value == pytest.approx(fid_f(original, kept), abs=1e-6)
    assert value(values, "fid_cf@top30").value == pytest.approx(fid_cf(original, removed), abs=1e-6)
    assert value(values, "size").value == pytest.approx((1 + 0.9 + 0.8) / 11)


def test_judges_metrics_have_a_value_for_each_generation_seed_and_the_others_one(
    tmp_path: Path, model: FakeModel
) -> None:
    some = opened(tmp_path)
    item = some.items()[0][0]
    (values,) = some.score([(item, on(item))])
    seeds = {metric: [v.generation_seed for v in values if v.metric == metric] for metric in {v.metric for v in values}}
    assert seeds["fid_f@top30"] == seeds["kl_cf@soft"] == seeds["fid_noise"] == [0, 1]
    assert seeds["logit_kl_f@top30"] == seeds["size"] == seeds["word_ap@class"] == [0]
    assert [v.metric for v in values][:4] == ["fid_f@top30"] * 2 + ["fid_cf@top30"] * 2


def test_the_same_question_is_asked_once_for_all_metrics(tmp_path: Path, model: FakeModel) -> None:
    names = ("fid_f", "kl_f")
    some = opened(
        tmp_path, [{"metric": name, "parameters": {"mask": mask}} for name in names for mask in ("top5", "top10")]
    )
    item = some.items()[0][0]
    some.score([])
    model.generated.clear()
    some.score([(item, on(item, item.tokens[0]))])
    regenerations = [6, 6]
    # Of eleven words both masks keep one: one question for each of two generation seeds.
    assert model.generated == [*regenerations, 2]


def test_values_do_not_depend_on_whether_anyone_listens(tmp_path: Path, model: FakeModel) -> None:
    some = opened(tmp_path)
    items = some.items()[0]
    pairs = [(item, on(item, item.tokens[1])) for item in items]
    silent = some.score(pairs)
    assert some.score(pairs, tmp_path / "exhibits") == silent
    for item in items:
        found = manifest(tmp_path / "exhibits", item.id)["exhibits"]
        assert [(each["kind"], each["label"], each["path"]) for each in found] == [
            ("sound", "kept", f"{item.id}.kept.ogg"),
            ("picture", "map", f"{item.id}.map.png"),
            ("sound", "removed", f"{item.id}.removed.ogg"),
        ]
        assert all((tmp_path / "exhibits" / each["path"]).is_file() for each in found)


def test_people_hear_kept_and_removed_even_where_no_metric_asks_for_the_mask(tmp_path: Path, model: FakeModel) -> None:
    some = opened(tmp_path, [{"metric": "size"}])
    item = some.items()[0][0]
    some.score([(item, on(item))], tmp_path / "exhibits")
    assert len(list((tmp_path / "exhibits").glob("*.ogg"))) == 2


def test_sounds_that_cannot_be_made_cost_no_value(
    tmp_path: Path, model: FakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = opened(tmp_path, [{"metric": "size"}])
    item = some.items()[0][0]
    expected = some.score([(item, on(item))])
    monkeypatch.setattr(model, "generate", lambda *given: {}[1])
    assert some.score([(item, on(item))], tmp_path / "exhibits") == expected
    found = manifest(tmp_path / "exhibits", item.id)
    assert found == {"item": item.id, "problem": "KeyError: 1", "exhibits": []}


def test_two_explanations_of_one_item_are_scored_apart(tmp_path: Path, model: FakeModel) -> None:
    some = opened(tmp_path)
    item = some.items()[0][0]
    one, other = on(item, *classes(item)), on(item, item.tokens[0])
    together = some.score([(item, one), (item, other)])
    assert [value(values, "size") for values in together] == [
        value(some.score([(item, explanation)])[0], "size") for explanation in (one, other)
    ]
    assert value(together[0], "fid_f@top30") != value(together[1], "fid_f@top30")


def test_truth_that_is_not_certified_or_not_stored_is_skipped_with_its_reason(tmp_path: Path, model: FakeModel) -> None:
    some = opened(tmp_path)
    item = some.items()[0][0]
    (values,) = some.score([(item, on(item))])
    assert value(values, "word_ap@class").status == Status.SKIPPED
    assert "no certificate" in value(values, "word_ap@class").reason
    assert "no exact Shapley values" in value(values, "shapley_spearman").reason
    assert value(values, "shapley_spearman").value is None


def _with_truth(some: Task, item: PromptItem) -> None:
    rows = [
        {
            "item": item.id,
            "codes": truth.codes_digest(item),
            "word": word,
            "text": text,
            "shapley": float(word),
            "cost": 0.0,
            "largest": 0.0,
            "null": word == 0,
        }
        for word, text in enumerate(item.prompt.split())
    ]
    ceilings.write_table(folder_of(some) / truth.SHAPLEY, rows, truth.SHAPLEY_SCHEMA)
    certificates.write_certificate(some, {"roles": {role: {"certified": role != "interval"} for role in ACTING}})


def test_stored_truth_is_compared_with(tmp_path: Path, model: FakeModel) -> None:
    metrics = [*METRICS, {"metric": "null_word_mass"}, {"metric": "interval_top1"}]
    item = opened(tmp_path, metrics).items()[0][0]
    _with_truth(task(tmp_path / "task", metrics), item)
    some = opened(tmp_path, metrics)
    words = len(item.prompt.split())
    rising = TokenMap(np.append(np.arange(words), 0) / 20)
    (values,) = some.score([(item, rising)])
    assert value(values, "shapley_spearman").value == pytest.approx(1.0)
    assert value(values, "null_word_mass").value == 0.0
    (values,) = some.score([(item, on(item, *classes(item)))])
    assert value(values, "word_ap@class").value == 1.0
    assert value(values, "interval_top1").reason == "no certificate shows that events sound when their words say"


TIMED = {"adapter": "scenes", "identity": "fake@1", "items": 30, "parameters": {"timed": True}}
ACTING = ("class", "loudness", "pitch", "time", "negator", "interval")
TRUTHS = [
    {"metric": "word_ap", "parameters": {"roles": "class"}},
    {"metric": "word_ap", "parameters": {"roles": "causal"}},
    {"metric": "interval_top1"},
]


def timed(folder: Path, certified: Sequence[str]) -> Any:
    """Scoring of items that ask for a half, on a task with so many certified roles."""
    some = task(folder / "task", TRUTHS, dataset=TIMED)
    certificates.write_certificate(some, {"roles": {role: {"certified": True} for role in certified}})
    return scoring.load(Setting(some, cache=folder / "cache"))


def acting(some: Any, item: PromptItem, roles: Sequence[str]) -> np.ndarray:
    """Which tokens are words of these roles that act in the half that an item asks for: 1, else 0."""
    early, truth = item.frames == (0, FRAMES // 2), some.record(item.id).truth
    found = [
        role in roles and (role in ("time", "negator") or (span[0] < 1 if early else span[1] > 1))
        for role, span in zip(truth.roles, truth.intervals, strict=True)
    ]
    return np.array([*found, False], dtype=float)


def test_of_an_item_that_asks_for_a_half_the_words_that_act_there_are_relevant(
    tmp_path: Path, model: FakeModel
) -> None:
    some = timed(tmp_path, ACTING)
    for item in some.items()[0]:
        for metric, roles in (("word_ap@class", ("class",)), ("word_ap@causal", ACTING)):
            (values,) = some.score([(item, TokenMap(acting(some, item, roles)))])
            assert value(values, metric).value == 1.0, item.prompt


def test_denied_words_are_not_relevant_and_what_denies_them_is(tmp_path: Path, model: FakeModel) -> None:
    some = timed(tmp_path, [*ACTING, "negated"])
    item = next(item for item in some.items()[0] if "negator" in some.record(item.id).truth.roles)
    roles = (*some.record(item.id).truth.roles, "")
    share = acting(some, item, ACTING).sum() / (len(roles) - 1)
    for role, right in (("negator", True), ("negated", False)):
        (values,) = some.score([(item, TokenMap(np.array([float(own == role) for own in roles])))])
        assert bool(value(values, "word_ap@causal").value > share) is right


def test_where_times_are_not_certified_nothing_is_known_of_a_half(tmp_path: Path, model: FakeModel) -> None:
    some = timed(tmp_path, [role for role in ACTING if role != "interval"])
    item = some.items()[0][0]
    (values,) = some.score([(item, on(item))])
    assert {each.reason for each in values} == {"no certificate shows that events sound when their words say"}


def test_top_words_are_those_of_the_frames_that_are_asked_for(tmp_path: Path, model: FakeModel) -> None:
    some = timed(tmp_path, ["class", "interval"])
    alone = next(item for item in some.items()[0] if len(some.record(item.id).truth.labels) == 1)
    rows = np.zeros((FRAMES, len(alone.tokens)))
    rows[alone.asked] = acting(some, alone, ("class",))
    (right,) = some.score([(alone, TokenMap(rows))])
    # What is said of the other frames does not count.
    rows[: alone.asked.start], rows[alone.asked.stop :] = rows[alone.asked.start], rows[alone.asked.start]
    (same,) = some.score([(alone, TokenMap(rows))])
    assert value(right, "interval_top1").value == value(same, "interval_top1").value == 1.0
    (wrong,) = some.score([(alone, TokenMap(1 - rows))])
    assert value(wrong, "interval_top1").value < 0.5


@pytest.mark.parametrize("change", [{"seed": 1}, {"fresh": 5}])
def test_stored_truth_holds_for_the_cards_items_and_seed_alone(tmp_path: Path, model: FakeModel, change) -> None:
    _with_truth(task(tmp_path / "task", METRICS), opened(tmp_path).items()[0][0])
    some = opened(tmp_path, **change)
    item = some.items()[0][0]
    (values,) = some.score([(item, on(item))])
    seed = change.get("seed", 0)
    assert value(values, "shapley_spearman", seed).reason == "truth is stored for the card's items and seed 0 alone"
    assert value(values, "word_ap@class", seed).status == Status.OK


def test_shapley_values_of_another_sound_are_not_used(tmp_path: Path, model: FakeModel) -> None:
    item = opened(tmp_path).items()[0][0]
    item.codes[0, 0] += 1
    _with_truth(task(tmp_path / "task", METRICS), item)
    some = opened(tmp_path)
    (values,) = some.score([(some.items()[0][0], on(item))])
    assert "another sound" in value(values, "shapley_spearman").reason


def test_fresh_items_are_others_of_the_same_world(tmp_path: Path, model: FakeModel) -> None:
    card, fresh = opened(tmp_path).items()[0], opened(tmp_path, fresh=3).items()[0]
    assert not {item.id for item in card} & {item.id for item in fresh}
    assert [item.prompt for item in card] != [item.prompt for item in fresh]


def test_a_judge_that_answers_nan_fails_the_value_and_not_the_run(
    tmp_path: Path, model: FakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = opened(tmp_path)
    item = some.items()[0][0]
    levels = FakeModel.levels
    monkeypatch.setattr(FakeModel, "levels", lambda self, text, mask: levels(self, text, mask) * float("nan"))
    (values,) = some.score([(item, on(item, item.tokens[0]))])
    assert value(values, "fid_f@top30").status == Status.FAILED
    assert "finite" in value(values, "fid_f@top30").reason
    assert value(values, "size").status == Status.OK


def test_an_unknown_item_is_named(tmp_path: Path, model: FakeModel) -> None:
    with pytest.raises(EarwitnessError, match="has no item 'test-99'"):
        opened(tmp_path).items(["test-99"])


def test_fresh_items_of_a_published_dataset_are_refused(tmp_path: Path) -> None:
    dataset = {"adapter": "musiccaps", "source": "google/MusicCaps", "items": 1}
    some = task(tmp_path, [{"metric": "size"}], dataset=dataset)
    with pytest.raises(EarwitnessError, match="--fresh draws from a made world, and google/MusicCaps is none"):
        scoring.load(Setting(some, fresh=1))


@pytest.mark.parametrize(("part", "package"), [("dataset", "datasets"), ("model", "models")])
def test_an_unknown_adapter_is_named_with_its_card(tmp_path: Path, part: str, package: str) -> None:
    changed = {"adapter": "musicgan", "source": "x"} | ({"items": 1} if part == "dataset" else {})
    some = task(tmp_path, [{"metric": "size"}], **{part: changed})
    with pytest.raises(InvalidCardError, match=f"earwitness.{package} has no adapter 'musicgan'"):
        scoring.load(Setting(some, cache=tmp_path)).items()


def test_a_table_that_repeats_an_id_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "captions.csv"
    table.write_text("ytid,caption,is_audioset_eval\na,the dog,True\na,the rain,True\n")
    some = task(tmp_path, [{"metric": "size"}], dataset={"adapter": "musiccaps", "source": str(table), "items": 2})
    with pytest.raises(EarwitnessError, match="'a'"):
        scoring.load(Setting(some))


def test_explanations_of_the_shape_of_frames_are_masked_frame_by_frame(tmp_path: Path, model: FakeModel) -> None:
    some = opened(tmp_path)
    item = some.items()[0][0]
    weights = np.zeros((FRAMES, len(item.tokens)))
    weights[0, 0] = 1.0
    (values,) = some.score([(item, TokenMap(weights))])
    assert value(values, "size").value == pytest.approx(1 / (FRAMES * (len(item.tokens) - 1)))
