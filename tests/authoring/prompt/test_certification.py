import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from earwitness import registry
from earwitness.authoring import __main__ as main_module
from earwitness.authoring import ceilings, chosen, require, training
from earwitness.authoring import work as working
from earwitness.authoring.__main__ import main
from earwitness.authoring.prompt import certification as stage
from earwitness.cli.train import train
from earwitness.datasets import PromptRecord, PromptTruth, scenes
from earwitness.errors import EarwitnessError
from earwitness.scoring import Setting, certificates
from earwitness.scoring.prompt import truth
from earwitness.scoring.prompt.scoring import PromptScoring, open_scoring
from earwitness.task import Task
from earwitness.tracks.prompt import PromptItem
from scoring_fakes import FakeModel, served, task

METRICS = [
    {"metric": "fid_f", "parameters": {"mask": "top30"}},
    {"metric": "word_ap", "parameters": {"roles": "class"}},
    {"metric": "word_ap", "parameters": {"roles": "causal"}},
    {"metric": "interval_top1"},
    {"metric": "shapley_spearman"},
    {"metric": "null_word_mass"},
]
ACTING = {"class", "loudness", "pitch", "time", "negator"}
VERDICTS = {role: {"certified": True} for role in (*ACTING, "interval")}


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> FakeModel:
    return served(monkeypatch)


@pytest.fixture
def some(tmp_path: Path, model: FakeModel, monkeypatch: pytest.MonkeyPatch) -> Task:
    monkeypatch.setattr(stage, "certify_roles", lambda task, respondent, costs: VERDICTS)
    return task(tmp_path / "task", METRICS)


def stored(some: Task, name: str) -> list[dict[str, object]]:
    return list(pq.read_table(certificates.folder(some) / name).to_pylist())


def test_truth_of_every_item_is_stored(some: Task) -> None:
    stage.certify(some, progress=False)
    found = truth.read_truth(some)
    assert len(found.words) == 6
    assert found.causal_roles() == ACTING
    assert found.certificate["task"] == "fake@1"
    assert not [path for path in certificates.folder(some).iterdir() if path.name.startswith(".")]


def test_the_truth_as_an_explanation_is_the_ceiling_of_metrics_that_compare_with_it(some: Task) -> None:
    stage.certify(some, progress=False)
    best = {
        "word_ap@class": 1.0,
        "word_ap@causal": 1.0,
        "interval_top1": 1.0,
        "shapley_spearman": 1.0,
        "null_word_mass": 0.0,
    }
    rows = [row for row in stored(some, ceilings.CEILING) if row["metric"] != "fid_f@top30"]
    assert {row["metric"] for row in rows} >= {"word_ap@class", "shapley_spearman"}
    for row in rows:
        if row["kind"] == "ceiling":
            assert row["value"] == best[str(row["metric"])], row
        else:
            assert row["value"] != best[str(row["metric"])], row


def test_the_truth_of_a_half_is_the_ceiling_of_items_that_ask_for_it(
    tmp_path: Path, model: FakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "certify_roles", lambda task, respondent, costs: VERDICTS)
    dataset = {"adapter": "scenes", "identity": "fake@1", "items": 4, "parameters": {"timed": True}}
    some = task(tmp_path / "task", METRICS[1:-1], dataset=dataset)
    stage.certify(some, progress=False)
    assert {item: len(words.shapley) for item, words in truth.read_truth(some).words.items()} == {
        record.id: len(record.prompt.split()) for record in scenes.load(items=4, timed=True)
    }
    best = [row for row in stored(some, ceilings.CEILING) if row["kind"] == "ceiling"]
    assert {row["metric"] for row in best} >= {"word_ap@class", "word_ap@causal", "shapley_spearman"}
    assert {row["value"] for row in best} == {1.0}


def test_a_killed_certification_goes_on_where_it_stopped(some: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    compute = stage._ceiling_rows

    def killed(scoring, item):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(item.id)
        return compute(scoring, item)

    monkeypatch.setattr(stage, "_ceiling_rows", killed)
    with pytest.raises(KeyboardInterrupt):
        stage.certify(some, progress=False)
    work = certificates.folder(some) / working.FILE
    work.write_text(work.read_text() + '["ceilings", "cut sh')
    monkeypatch.setattr(stage, "game", lambda model, item: pytest.fail("computed twice"))
    monkeypatch.setattr(stage, "_ceiling_rows", lambda scoring, item: done.append(item.id) or compute(scoring, item))
    stage.certify(some, progress=False)
    assert sorted(done) == sorted(set(done))
    assert len(done) == 6
    assert {row["item"] for row in stored(some, ceilings.CEILING) if row["metric"] == "fid_f@top30"} == set(done)


def test_finished_items_of_another_model_are_not_used(some: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    work = certificates.folder(some) / working.FILE
    work.parent.mkdir(parents=True)
    work.write_text("another model\n" + json.dumps(["Shapley values", "test-00000", []]) + "\n")
    stage.certify(some, progress=False)
    assert "test-00000" in truth.read_truth(some).words


def test_the_truth_is_no_part_of_what_it_is_computed_for(some: Task) -> None:
    before = working.identity(some)
    stage.certify(some, progress=False)
    assert working.identity(some) == before


def test_a_dataset_without_truth_cannot_be_certified(tmp_path: Path, model: FakeModel) -> None:
    table = tmp_path / "captions.csv"
    table.write_text("ytid,caption,is_audioset_eval\na,the dog,True\n")
    dataset = {"adapter": "musiccaps", "source": str(table), "items": 1}
    with pytest.raises(EarwitnessError, match="nothing can be certified"):
        stage.certify(task(tmp_path / "task", METRICS, dataset=dataset), progress=False)


LONG = " ".join(["the dog"] * 6 + ["nearby"])


def long_captions(folder: Path, monkeypatch: pytest.MonkeyPatch, metrics: list[dict[str, object]]) -> Task:
    """A task of two captions, of which one has 13 words."""
    truths = [PromptTruth(("filler",) * len(text.split()), (None,) * len(text.split()), ()) for text in ("rain", LONG)]
    records = [PromptRecord(f"test-{number}", text, text, truths[number]) for number, text in enumerate(("rain", LONG))]
    monkeypatch.setattr("earwitness.scoring.loading.load_records", lambda setting: records)
    return task(folder, metrics)


@pytest.mark.parametrize("asked", [METRICS[-2:], METRICS[-1:], METRICS])
def test_captions_that_are_too_long_for_what_the_card_asks_are_refused_before_anything_is_computed(
    tmp_path: Path, model: FakeModel, monkeypatch: pytest.MonkeyPatch, asked: list[dict[str, object]]
) -> None:
    some = long_captions(tmp_path / "task", monkeypatch, asked)
    monkeypatch.setattr(stage, "game", lambda model, item: pytest.fail("computed"))
    for refusing in (stage.certify, require):
        with pytest.raises(EarwitnessError) as caught:
            refusing(some)
        said = str(caught.value)
        assert "1 of its 2 captions have more than 12 words (the first is test-1)" in said
        assert "null_word_mass of its card" in said
        assert ("shapley_spearman" in said) is (len(asked) > 1)
        assert "\n" not in said
    assert not model.generated
    assert not certificates.folder(some).exists()


def test_long_captions_are_certified_where_no_metric_asks_for_exact_values(
    tmp_path: Path, model: FakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "certify_roles", lambda task, respondent, costs: VERDICTS)
    some = long_captions(tmp_path / "task", monkeypatch, METRICS[:3])
    require(some)
    stage.certify(some, progress=False)
    assert set(truth.read_truth(some).words) == {"test-0"}


def test_what_cannot_be_certified_is_not_trained_for(
    tmp_path: Path, model: FakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = long_captions(tmp_path / "task", monkeypatch, METRICS)
    some.folder.mkdir(exist_ok=True)
    monkeypatch.setattr("earwitness.registry.task", lambda name: some)
    monkeypatch.setattr("earwitness.task.read_task", lambda folder: some)
    monkeypatch.setitem(training.RECIPES, some.id, lambda out, work: pytest.fail("trained"))
    with pytest.raises(EarwitnessError, match="captions have more than 12 words"):
        train(some.id, twin=None, unmasked=False, out=tmp_path / "out", json=False)


def test_tracks_without_such_a_case_let_every_task_pass() -> None:
    require(registry.task("micro_concept"))


def test_words_that_act_elsewhere_are_no_cost_of_what_is_asked_for(
    tmp_path: Path, model: FakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: dict[str, list[float]] = {}
    monkeypatch.setattr(stage, "certify_roles", lambda task, respondent, costs: found.update(costs) or VERDICTS)
    dataset = {"adapter": "scenes", "identity": "fake@1", "items": 4, "parameters": {"timed": True}}
    some = task(tmp_path / "task", METRICS[-1:], dataset=dataset)
    # One nat each, and a thousand for class words of the other half.
    records = {record.id: record for record in scenes.load(items=4, timed=True)}

    def rows(scoring: PromptScoring, item: PromptItem) -> list[dict[str, object]]:
        record, made = records[item.id], []
        for word, (role, span) in enumerate(zip(record.truth.roles, record.truth.intervals, strict=True)):
            outside = span is not None and (span[1] <= record.asked[0] or record.asked[1] <= span[0])
            cost = 1000.0 if outside and role == "class" else 1.0
            made.append({"item": item.id, "codes": "c", "word": word, "text": "w", "shapley": 0.0, "cost": cost,
                         "largest": 1.0, "null": False})  # fmt: skip
        return made

    monkeypatch.setattr(stage, "_word_rows", rows)
    stage.certify(some, progress=False)
    assert found["class"] == [1.0] * 4
    assert any(cost == 1000.0 for cost in (row["cost"] for row in stored(some, truth.SHAPLEY)))


def test_ceilings_that_lack_are_added_and_what_is_stored_stays(some: Task, tmp_path: Path) -> None:
    stage.certify(some, progress=False)
    before = {path.name: path.read_bytes() for path in certificates.folder(some).iterdir()}
    rows = stored(some, ceilings.CEILING)
    more = task(some.folder, [*METRICS, {"metric": "kl_cf", "parameters": {"mask": "top30"}}, {"metric": "size"}])
    assert stage.complete(more, progress=False) == 2 * 2 * 6
    assert stored(more, ceilings.CEILING)[: len(rows)] == rows
    added = stored(more, ceilings.CEILING)[len(rows) :]
    assert {row["metric"] for row in added} == {"kl_cf@top30"}
    for name in (certificates.CERTIFICATE, truth.SHAPLEY):
        assert (certificates.folder(more) / name).read_bytes() == before[name]
    assert not [path for path in certificates.folder(more).iterdir() if path.name.startswith(".")]
    whole = task(tmp_path / "whole", [*METRICS, {"metric": "kl_cf", "parameters": {"mask": "top30"}}])
    stage.certify(whole, progress=False)
    assert added == [row for row in stored(whole, ceilings.CEILING) if row["metric"] == "kl_cf@top30"]


def test_a_file_of_before_choices_were_kept_is_read_and_completed(some: Task) -> None:
    stage.certify(some, progress=False)
    path = certificates.folder(some) / ceilings.CEILING
    pq.write_table(pq.read_table(path).drop_columns(["choice"]), path)
    before = ceilings.read(some)
    assert {row["choice"] for row in before} == {None}
    more = task(some.folder, [*METRICS, {"metric": "kl_cf", "parameters": {"mask": "top30"}}])
    stage.complete(more, progress=False)
    found = stored(more, ceilings.CEILING)
    assert found[: len(before)] == before
    assert all(row["choice"] for row in found[len(before) :])


def test_ceilings_made_anew_are_those_of_the_certification_and_nothing_else_moves(
    some: Task, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.certify(some, progress=False)
    before = {path.name: path.read_bytes() for path in certificates.folder(some).iterdir()}
    (certificates.folder(some) / ceilings.CEILING).unlink()
    monkeypatch.setattr(main_module, "task", lambda name: some)
    assert main(["fake", "--ceilings"]) == 0
    assert {path.name: path.read_bytes() for path in certificates.folder(some).iterdir()} == before
    count = len(stored(some, ceilings.CEILING))
    assert capsys.readouterr().out.splitlines()[-1] == f"{count} rows are the ceilings of fake"


def test_what_is_stored_names_the_explanation_that_has_the_value(some: Task, tmp_path: Path) -> None:
    stage.certify(some, progress=False)
    scoring = open_scoring(Setting(some, cache=tmp_path / "cache"))
    items = {item.id: item for item in scoring.items()[0]}
    rows = ceilings.read(some)
    assert {row["metric"] for row in rows} >= {*(column.id for column in scoring.metrics)} - {"null_word_mass"}
    assert {row["choice"] for row in rows if row["metric"] == "interval_top1"} == {"sounding", "silent"}
    for item in list(items.values())[:2]:
        own = [row for row in rows if row["item"] == item.id]
        for choice in {row["choice"] for row in own}:
            (values,) = scoring.score([(item, chosen(scoring, item, choice))])
            told = {(value.metric, value.generation_seed): value.value for value in values}
            for row in own:
                if row["choice"] == choice:
                    assert told[row["metric"], row["generation_seed"]] == pytest.approx(row["value"], abs=1e-6)


def test_a_killed_completion_goes_on_where_it_stopped(some: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.certify(some, progress=False)
    more = task(some.folder, [*METRICS, {"metric": "kl_cf", "parameters": {"mask": "top30"}}])
    done: list[str] = []
    compute = stage._ceiling_rows

    def killed(scoring, item, columns):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(item.id)
        return compute(scoring, item, columns)

    monkeypatch.setattr(stage, "_ceiling_rows", killed)
    with pytest.raises(KeyboardInterrupt):
        stage.complete(more, progress=False)
    monkeypatch.setattr(stage, "_ceiling_rows", lambda *of: done.append(of[1].id) or compute(*of))
    stage.complete(more, progress=False)
    assert len(done) == len(set(done)) == 6


def test_what_was_never_certified_is_not_completed(some: Task, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(EarwitnessError, match="nothing is certified yet; `earwitness train fake`"):
        stage.complete(some, progress=False)
    assert main(["micro_speech"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "task micro_speech: ceilings of the speech track are computed as a whole; do that with "
        "`python -m earwitness.authoring micro_speech --ceilings`",
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "the following arguments are required: TASK"),
        (["micro_speech", "--items", "4"], "--items is for --ceilings alone"),
        (
            ["micro_speech", "--ceilings", "--items", "1"],
            "argument --items: '1' is no number of items, 2 or more",
        ),
    ],
)
def test_arguments_that_make_no_sense_are_refused_in_a_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert capsys.readouterr().err.splitlines()[-1].endswith(said)
