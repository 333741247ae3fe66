"""The order of entrants on twins: on fabricated runs whose order is planted."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from earwitness import registry
from earwitness.authoring import twins
from earwitness.authoring.order_changes import PairChange, VerdictChange
from earwitness.authoring.studies import PairVerdict
from earwitness.errors import EarwitnessError, NotComparableError
from earwitness.identity import digest
from earwitness.own_model import Twin, World, world_of, write_twin
from earwitness.results.folders import open_runs
from earwitness.results.rows import Row, read_parts, read_run, write_part
from earwitness.stats.verdicts import Verdict
from earwitness.task import Task, read_task
from in_process import earwitness_here
from synthetic import Plan, write_run, write_task

METRIC = "fid_f@top30"
SKILL = {"occlusion": 0.9, "gradient_input": 0.75, "chefer": 0.6, "attention": 0.3, "uniform": 0.05, "random": 0.0}
TURNED = {**SKILL, "occlusion": 0.3, "attention": 0.9}
"""The best and the fourth change places."""


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tasks")
    write_task(folder / "registry", Plan(skill=SKILL))
    return folder


@pytest.fixture
def task(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    """A registered task with ceilings."""
    home = registry.home
    monkeypatch.setattr(registry, "home", lambda kind: shelf / "registry" if kind == "tasks" else home(kind))
    return read_task(shelf / "registry" / "planted")


def run_all(out: Path, task: Task, skill: dict[str, float], twin: Twin | None = None, **changes: Any) -> Path:
    """Runs of all entrants on the task's model, or on a twin."""
    data = task.data_hash if twin is None else digest(["twin", twin.seed, twin.masked])
    plan = replace(Plan(skill=skill, task_hash=digest([data, task.code_hash])), **changes)
    for submission in skill:
        folder = write_run(out, plan, submission)
        recipe = json.loads((folder / "run.json").read_text())
        recipe["seeds"] = {"seed_key": task.seed_key}
        recipe["task"] |= {"data_hash": data, "twin": None if twin is None else twin.model_dump()}
        (folder / "run.json").write_text(json.dumps(recipe))
    return out


def twin_of(task: Task, seed: int = 1, masked: bool = True) -> Twin:
    return Twin(task=task.id, seed=seed, masked=masked, world=world_of(task))


def study(task: Task, shipped: Path, *others: Path, **options: Any) -> twins.TwinStudy:
    found = twins.study(task, open_runs([shipped])[0], open_runs(others)[0], **{"metric": METRIC, **options})
    assert not found.notes
    return found


def test_twins_that_rank_alike_agree_and_their_verdicts_stay(task: Task, tmp_path: Path) -> None:
    shipped = run_all(tmp_path / "shipped", task, SKILL)
    (one,) = study(task, shipped, run_all(tmp_path / "twin", task, SKILL, twin_of(task))).comparisons
    assert one.entrants == tuple(sorted(SKILL))
    assert (one.tau, one.high, one.items, one.clusters) == (1.0, 1.0, 30, 30)
    assert one.low > one.random == pytest.approx(11 / 15)
    assert one.own_halves == one.across_halves > 0.8
    assert one.counts == {"same": 15, "lost": 0, "gained": 0, "REVERSED": 0, "restated": 0}


def test_a_pair_that_changes_places_is_reversed_and_named(task: Task, tmp_path: Path) -> None:
    shipped = run_all(tmp_path / "shipped", task, SKILL)
    found = study(task, shipped, run_all(tmp_path / "twin", task, TURNED, twin_of(task))).comparisons
    changed = {(p.shipped.first, p.shipped.second): p for p in found[0].pairs if p.change == VerdictChange.REVERSED}
    assert set(changed) == {("attention", "chefer"), ("attention", "gradient_input"), ("attention", "occlusion"),
                            ("chefer", "occlusion"), ("gradient_input", "occlusion")}  # fmt: skip
    pair = changed["attention", "occlusion"]
    assert (pair.shipped.word, pair.twin.word) == (Verdict.WORSE, Verdict.BETTER)
    assert found[0].tau == pytest.approx(5 / 15)
    assert found[0].across_halves < found[0].own_halves
    text = twins.report(task, found)
    assert "* `fid_f@top30`, seed 1, REVERSED: `attention` worse than `occlusion` (gain -" in text
    assert "0.73 within which 95 % of random orders lie" in text
    assert "not beyond the 0.73" in text


def test_what_is_told_on_one_model_alone_is_lost_or_gained(task: Task, tmp_path: Path) -> None:
    close = {**SKILL, "gradient_input": 0.9}
    for first, second, change in ((SKILL, close, VerdictChange.LOST), (close, SKILL, VerdictChange.GAINED)):
        shipped = run_all(tmp_path / f"shipped{change}", task, first)
        (one,) = study(task, shipped, run_all(tmp_path / f"twin{change}", task, second, twin_of(task))).comparisons
        (pair,) = (pair for pair in one.pairs if pair.change != VerdictChange.SAME)
        assert (pair.change, pair.shipped.first, pair.shipped.second) == (change, "gradient_input", "occlusion")


VERDICT = PairVerdict("a", "b", Verdict.NOT_TOLD, 0.0, -1.0, 1.0, 1.0, float("inf"))
WORDS = {"B": Verdict.BETTER, "W": Verdict.WORSE, "E": Verdict.EQUIVALENT, "N": Verdict.NOT_TOLD, "F": Verdict.TOO_FEW}


@pytest.mark.parametrize(
    ("pairs", "change"),
    [
        ("BB WW EE NN FF NF FN", VerdictChange.SAME),
        ("BE BN BF WE WN WF", VerdictChange.LOST),
        ("EB NB FB EW NW FW", VerdictChange.GAINED),
        ("BW WB", VerdictChange.REVERSED),
        ("EN EF NE FE", VerdictChange.RESTATED),
    ],
)
def test_every_two_verdicts_have_one_change(pairs: str, change: VerdictChange) -> None:
    for pair in pairs.split():
        before, after = (replace(VERDICT, word=WORDS[letter]) for letter in pair)
        assert PairChange.of(before, after).change == change, pair


def test_masked_and_unmasked_twins_stand_apart_in_one_folder_of_runs(task: Task, tmp_path: Path) -> None:
    out = run_all(tmp_path, task, SKILL)
    kinds = [(2, True), (1, False), (1, True)]
    for seed, masked in kinds:
        run_all(out, task, SKILL if masked else TURNED, twin_of(task, seed, masked))
    found = study(task, out, out).comparisons
    assert [(one.twin.seed, one.twin.masked) for one in found] == [(1, True), (2, True), (1, False)]
    masked, unmasked = twins.report(task, found).split("## Unmasked twins")
    assert (
        "**2 masked twins (seeds 1, 2), `fid_f@top30`:** tau from 1.00 to 1.00; of 30 verdicts on pairs 30 are"
        in masked
    )
    assert "**1 unmasked twin (seed 1), `fid_f@top30`:** tau from 0.33 to 0.33" in unmasked
    assert "| `fid_f@top30` | 1 | 6 | 30 | 0.33 [" in unmasked


def test_headline_and_main_metric_are_compared_unless_one_is_asked_for(task: Task, tmp_path: Path) -> None:
    out = run_all(tmp_path, task, SKILL)
    run_all(out, task, SKILL, twin_of(task))
    found = study(task, out, out, metric=None).comparisons
    assert [one.metric for one in found] == ["fid_cf@top30", "fid_f@top30", "kl_f@top30", "kl_cf@top30"]
    with pytest.raises(EarwitnessError, match=r"task planted has no metric 'fid_f'; did you mean 'fid_f@top30'"):
        study(task, out, out, metric="fid_f")
    with pytest.raises(EarwitnessError, match="size describes"):
        study(task, out, out, metric="size")


def test_entrants_and_items_are_those_that_both_models_have(task: Task, tmp_path: Path) -> None:
    out = run_all(tmp_path / "shipped", task, {**SKILL, "other": 0.5})
    other = run_all(tmp_path / "twin", task, SKILL, twin_of(task), items=20)
    (run,) = other.glob("*__chefer__*")
    kept = [Row(**row) for row in read_run(run).to_pylist() if row["item"] != "test-0003"]
    write_part(kept, run / "rows" / "0000.parquet")
    (one,) = study(task, out, other).comparisons
    assert one.items == 20
    assert one.left_out == {"chefer": "19 of 20 items run", "other": "not run on both models"}
    assert "Left out: `chefer` (19 of 20 items run), `other` (not run on both models)." in twins.sentence(one)
    assert study(task, out, other, controls=False).comparisons[0].entrants == (
        "attention",
        "gradient_input",
        "occlusion",
    )


def test_a_failed_item_counts_on_the_model_on_which_it_failed(task: Task, tmp_path: Path) -> None:
    out = run_all(tmp_path / "shipped", task, SKILL)
    other = run_all(tmp_path / "twin", task, SKILL, twin_of(task), failing={"occlusion": tuple(range(25))})
    (one,) = study(task, out, other).comparisons
    assert one.items == 30
    assert one.tau < 1.0
    assert {p.change for p in one.pairs if "occlusion" in (p.shipped.first, p.shipped.second)} > {VerdictChange.LOST}


def test_runs_of_other_items_or_other_code_are_left_out_and_said(task: Task, tmp_path: Path) -> None:
    out = run_all(tmp_path / "shipped", task, SKILL)
    stranger = twin_of(task).model_copy(update={"world": World(name="scenes", version=99)})
    with pytest.raises(NotComparableError, match=r"no run on a twin of planted .*left out: .* of scenes 99, those"):
        study(task, out, run_all(tmp_path / "stranger", task, SKILL, stranger))
    old = run_all(tmp_path / "old", task, SKILL, twin_of(task), task_hash="0123456789abcdef")
    with pytest.raises(NotComparableError, match="other code of the task's track, model or dataset"):
        study(task, out, old)
    with pytest.raises(NotComparableError, match="no run on a twin of planted as it is now; `earwitness train planted"):
        study(task, out, out)
    inline = run_all(tmp_path / "inline", task, SKILL, twin_of(task))
    for part in inline.glob("*/rows/0000.parquet"):
        write_part([replace(Row(**row), isolation="none") for row in read_parts([part]).to_pylist()], part)
    with pytest.raises(NotComparableError, match="made in the caller's process"):
        study(task, out, inline)
    good = run_all(tmp_path / "good", task, SKILL, twin_of(task, 2))
    found = twins.study(task, open_runs([out])[0], open_runs([old, good])[0], METRIC)
    assert [one.twin.seed for one in found.comparisons] == [2]
    assert len(found.notes) == len(SKILL)


def test_runs_of_the_shipped_model_must_be_of_the_task_as_it_is(task: Task, tmp_path: Path) -> None:
    other = run_all(tmp_path / "twin", task, SKILL, twin_of(task))
    with pytest.raises(NotComparableError, match="no run of planted as it is now"):
        study(task, other, other)


def test_shifted_seeds_are_no_twins_items(task: Task, tmp_path: Path) -> None:
    out = run_all(tmp_path / "shipped", task, SKILL)
    with pytest.raises(NotComparableError, match="no run on a twin"):
        study(task, out, run_all(tmp_path / "twin", task, SKILL, twin_of(task), seed=5))


def test_a_metric_that_too_few_have_is_a_line_and_hides_no_other(task: Task, tmp_path: Path) -> None:
    out = run_all(tmp_path / "shipped", task, SKILL)
    other = run_all(tmp_path / "twin", task, SKILL, twin_of(task))
    for name in ("occlusion", "gradient_input", "chefer", "attention"):
        (run,) = other.glob(f"*__{name}__*")
        kept = [Row(**row) for row in read_run(run).to_pylist() if row["metric"] != "kl_f@top30"]
        write_part(kept, run / "rows" / "0000.parquet")
    found = twins.study(task, open_runs([out])[0], open_runs([other])[0], None)
    assert len(found.comparisons) == 3
    (note,) = found.notes
    assert note.startswith(
        "masked twin of seed 1: kl_f@top30: 3 entrants on both models are needed, and there are 2; attention:"
    )


def test_a_real_run_on_a_twin_is_taken_for_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    speech = registry.task("micro_speech")
    model = Path(shutil.copytree(registry.task("micro_translation").folder / "model", tmp_path / "twin" / "model"))
    twin = twin_of(speech, 4, masked=False)
    write_twin(model, twin)
    words = ["run", "--task", "micro_speech", "--submission", "random,energy", "--items", "1", "--out", str(tmp_path)]
    ended = earwitness_here([*words, "--model", str(model)], monkeypatch, capsys)
    assert ended.code == 0, ended.err
    (one,), notes = twins.twins_in(speech, open_runs([tmp_path])[0])
    assert (one.twin, len(one.runs), notes) == (twin, 2, [])


def test_the_command_prints_markdown_or_json_or_one_line(
    task: Task, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = run_all(tmp_path / "shipped", task, SKILL)
    other = run_all(tmp_path / "twin", task, TURNED, twin_of(task))
    words = [task.id, str(out), str(other), "--metric", METRIC]
    assert twins.main(words) == 0
    assert capsys.readouterr().out.startswith(
        "# The order of entrants on twins of planted\n\n## Masked twins\n\n| metric |"
    )
    assert twins.main([*words, "--json", "--without-controls"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert record["twin"]["seed"] == 1
    assert record["counts"]["REVERSED"] == 5
    assert record["pairs"][0]["twin"]["word"] == "better"
    assert twins.main([task.id, str(tmp_path / "nothing"), str(other)]) == EarwitnessError.exit_code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == f"no runs in {tmp_path / 'nothing'}; `earwitness run` makes them\n"
