"""Explanations that were handed in, scored without a model: what is taken, what is a failed item, what stops a run."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import FRAMES, NamedScoring, make_submission, make_task
from safetensors.numpy import save_file

import earwitness.box
from earwitness import registry
from earwitness.cli.entrants import Entrants, runs_of
from earwitness.errors import EarwitnessError, NotComparableError
from earwitness.handed_in import fresh_mark
from earwitness.harness import explain, recipe, score
from earwitness.harness.outside.answering import set_of
from earwitness.harness.recipe import Arguments, Run
from earwitness.harness.run import execute, rescore
from earwitness.harness.sanity import of_run
from earwitness.harness.verify import verify
from earwitness.held_out import HeldOutCard, HeldOutTask
from earwitness.private import SECRET, fingerprint
from earwitness.results import rows
from earwitness.results.rows import MADE_ELSEWHERE, UNVERIFIED
from handing_in import file_of, hand_in
from handing_in import set_of as made_set
from in_process import InlineEngine

ITEMS = tuple(f"item-{number:03d}" for number in range(4))
Make = Callable[..., Run]


@pytest.fixture(autouse=True)
def no_box(monkeypatch: pytest.MonkeyPatch) -> None:
    """No box is ever opened."""

    def create(*_: Any) -> None:
        raise AssertionError("a box was opened")

    monkeypatch.setattr(earwitness.box, "create", create)
    monkeypatch.setattr(score, "load", NamedScoring)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A run of explanations of a fake task's first items; of a set that says other things, where it is told."""
    task = make_task(tmp_path / "tasks" / "fake_task")

    def made(names: tuple[str, ...] = ITEMS, update: dict[str, Any] | None = None, **asked: Any) -> Run:
        own = made_set(names, **{"task_hash": task.hash, **(update or {})})
        submission = hand_in(tmp_path / "submissions" / "mine", own)
        arguments = Arguments(**{"device": "cpu", "items": len(names), **asked}).taken_by(submission)
        return Run(task, submission, arguments, tmp_path / "runs")

    return made


def path_of(run: Run, item: str) -> Path:
    return run.submission.folder / "explanations" / file_of(item)


def again(run: Run) -> Run:
    """The same run with the submission as it lies there now."""
    return replace(run, submission=registry.submission(str(run.submission.folder)))


def test_held_out_items_are_handed_out_to_nobody(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make()
    monkeypatch.setenv(SECRET, "correct horse battery staple")
    published = HeldOutCard(fingerprint=fingerprint("correct horse battery staple"), items=4)
    with pytest.raises(EarwitnessError, match="handed out to nobody, so that mine, which is without code, explains"):
        set_of(replace(run, task=HeldOutTask(run.task, published, None)))
    assert set_of(run).count == 4


def test_what_was_handed_in_is_scored_like_any_other(make: Make, engine: InlineEngine) -> None:
    run = make()
    (outcome,) = execute([run], engine)
    assert (outcome.done, outcome.items, outcome.failed, outcome.seconds) == (True, 4, 0, 0.0)
    table = rows.read_run(run.folder).to_pylist()
    assert {(row["isolation"], row["metering"], row["plausible_forwards"]) for row in table} == {
        (MADE_ELSEWHERE, UNVERIFIED, None)
    }
    assert {row["status"] for row in table} == {"ok"}
    assert verify(run.folder, engine, isolation="process").verified
    before = rows.fingerprint(rows.read_run(run.folder))
    assert rescore(run.folder, engine).done
    assert rows.fingerprint(rows.read_run(run.folder)) == before


def test_one_altered_array_is_another_entrant_with_other_rows(make: Make, engine: InlineEngine) -> None:
    run = make()
    execute([run], engine)
    save_file({"weights": np.zeros(4, np.float32)}, path_of(run, ITEMS[2]))
    other = again(run)
    execute([other], engine)
    assert other.name != run.name
    first, second = (rows.read_run(each.folder).to_pylist() for each in (run, other))
    assert {row["submission_hash"] for row in first} != {row["submission_hash"] for row in second}
    differing = {a["item"] for a, b in zip(first, second, strict=True) if a["value"] != b["value"]}
    assert differing == {ITEMS[2]}


def test_an_array_that_changes_after_the_run_is_found_by_verify(make: Make, engine: InlineEngine) -> None:
    run = make()
    execute([run], engine)
    save_file({"weights": np.zeros(4, np.float32)}, path_of(run, ITEMS[2]))
    with pytest.raises(NotComparableError, match="submission mine has changed since the run"):
        verify(run.folder, engine)


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"weights": np.array([0, np.nan, 0, 1], np.float32)}, "TokenMap.weights must be finite; found 1 of 4 NaN"),
        ({"weights": np.array([0, np.inf, 0, 1], np.float32)}, "TokenMap.weights must be finite"),
        ({"weights": np.array([0, 2, 0, 1], np.float32)}, "TokenMap.weights must lie in [0, 1]; found 0 to 2"),
        ({"weights": np.zeros(4)}, "weights must be float32; found float64"),
        ({"weights": np.zeros((FRAMES, 5), np.float32)}, "weights must be [3, 4] or [4]; found [3, 5]"),
        (
            {"weights": np.zeros((FRAMES, 4), np.float32), "order": np.zeros(4, np.float32)},
            "TokenMap.order must have the shape of weights",
        ),
        ({"maps": np.zeros((4, 2, 2), np.float32)}, "it holds an array 'maps'; an explanation here has weights, order"),
    ],
)
def test_an_item_whose_arrays_are_none_is_a_failed_item_that_says_where(
    make: Make, engine: InlineEngine, arrays: dict[str, np.ndarray], says: str
) -> None:
    run = make()
    save_file(arrays, path_of(run, ITEMS[1]))
    run = again(run)
    (outcome,) = execute([run], engine)
    assert (outcome.done, outcome.items, outcome.failed) == (True, 4, 1)
    (reason,) = outcome.reasons
    assert reason.startswith(f"some/{ITEMS[1]}.safetensors: {says}")
    assert reason.endswith("; make it again")
    bad = [row for row in rows.read_run(run.folder).to_pylist() if row["item"] == ITEMS[1]]
    assert {(row["status"], row["value"]) for row in bad} == {("invalid", None)}


def test_an_item_that_the_method_failed_on_is_said_to_have_failed(make: Make, engine: InlineEngine) -> None:
    listed = [{"id": item, "file": file_of(item)} for item in ITEMS[1:]]
    run = make(update={"items": [{"id": ITEMS[0], "failed": "no answer came"}, *listed]})
    (outcome,) = execute([run], engine)
    assert outcome.reasons == {"manifest.json: no answer came": 1}
    assert {row["status"] for row in rows.read_run(run.folder).to_pylist()} == {"ok", "failed"}


def refused(run: Run, engine: InlineEngine) -> str:
    """The line of a run that could not start, of which nothing is left."""
    (outcome,) = execute([run], engine)
    assert not outcome.done
    assert not run.folder.exists()
    (line,) = outcome.errors
    assert "\n" not in line
    return line


def test_a_set_that_lacks_items_of_its_claim_is_refused(make: Make, engine: InlineEngine) -> None:
    run = make(ITEMS[:3], update={"count": 4}, items=4)
    line = refused(run, engine)
    assert f"item '{ITEMS[3]}' of the first 4 of fake_task is missing; add it, or say in `failed`" in line


def test_a_set_that_names_items_that_there_are_not_is_refused(make: Make, engine: InlineEngine) -> None:
    run = make((*ITEMS[:3], "item-777"))
    line = refused(run, engine)
    assert (
        "item 'item-777' is none of the 4 that are explained of fake_task: item-000, item-001, item-002 ...; take"
        in line
    )


def test_fewer_items_of_a_set_may_be_run_and_more_may_not(make: Make, engine: InlineEngine) -> None:
    run = make()
    (outcome,) = execute([replace(run, arguments=replace(run.arguments, items=2))], engine)
    assert (outcome.done, outcome.items) == (True, 2)
    with pytest.raises(EarwitnessError, match=r"explains the first 4 items of fake_task, and 40 are asked for"):
        set_of(replace(run, arguments=replace(run.arguments, items=None)))


def test_a_smaller_run_lacks_no_item_of_its_own(make: Make, engine: InlineEngine) -> None:
    run = make((ITEMS[0], *ITEMS[2:]), update={"count": 4}, items=2)
    assert f"item '{ITEMS[1]}' of the first 4 of fake_task is missing" in refused(run, engine)


def test_a_file_that_changes_once_it_was_hashed_stops_the_run(make: Make, engine: InlineEngine) -> None:
    run = make()
    assert run.name
    save_file({"weights": np.zeros(4, np.float32)}, path_of(run, ITEMS[2]))
    assert "it changed while it was read; run the same command again" in refused(run, engine)


def test_a_reason_steers_no_terminal(make: Make, engine: InlineEngine) -> None:
    run = make()
    header = b'{"weights":{"dtype":"\\u001b[2J\\ud800","shape":[4],"data_offsets":[0,16]}}'
    path_of(run, ITEMS[0]).write_bytes(len(header).to_bytes(8, "little") + header + bytes(16))
    (outcome,) = execute([again(run)], engine)
    (reason,) = outcome.reasons
    assert outcome.done
    assert reason.isprintable()
    assert "weights must be float32; found" in reason


@pytest.mark.parametrize(
    ("update", "asked", "error", "says"),
    [
        ({"task": "other_task"}, {}, EarwitnessError, "no set is of the task fake_task, they are of other_task"),
        ({"task_hash": "f" * 16}, {}, NotComparableError, r"or of another model \(task_hash ffffffffffffffff, now"),
        ({"seed": 3}, {}, EarwitnessError, "the card's items under --seed 0; the first is of the card's items under "),
        ({}, {"seed": 3}, EarwitnessError, "no set of fake_task is of the card's items under --seed 3"),
        ({}, {"fresh": 7}, EarwitnessError, "is of the items of --fresh 7 under --seed 0; the first is of the card's"),
        ({"fresh": fresh_mark(8)}, {"fresh": 7}, EarwitnessError, "the first is of fresh items of another seed under"),
        ({"fresh": fresh_mark(7)}, {}, EarwitnessError, "the first is of fresh items under --seed 0"),
    ],
)
def test_items_of_another_draw_are_refused_before_anything_is_made(
    make: Make, update: dict[str, Any], asked: dict[str, Any], error: type[EarwitnessError], says: str
) -> None:
    run = make(update=update, **asked)
    with pytest.raises(error, match=says):
        runs_of(Entrants(((run.task, run.submission),), True), run.arguments, run.out, frozenset())


def test_where_all_are_meant_those_without_a_set_are_left_out(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    run = make(update={"task": "other_task"})
    assert runs_of(Entrants(((run.task, run.submission),), False), run.arguments, run.out, frozenset()) == []
    said = capsys.readouterr().err
    assert said.startswith("earwitness: mine is left out: ")
    assert said.count("\n") == 1


def test_fresh_items_are_matched_by_their_places(make: Make, engine: InlineEngine) -> None:
    names = tuple(f"fresh-{number:05d}" for number in range(4))
    run = make(names, update={"fresh": fresh_mark(7)}, fresh=7)
    (outcome,) = execute([run], engine)
    assert outcome.done
    assert {row["item"] for row in rows.read_run(run.folder).to_pylist()} == set(ITEMS)


def test_one_explanation_an_item_stands_for_all_explainer_seeds(make: Make, engine: InlineEngine) -> None:
    one, many = make(), make(explainer_seeds=(1, 2), isolation="bwrap")
    assert one.name == many.name
    assert recipe.describe(many, [])["isolation"] == MADE_ELSEWHERE


def test_a_stopped_run_goes_on_with_what_is_missing(make: Make, engine: InlineEngine) -> None:
    names = tuple(f"item-{number:03d}" for number in range(20))
    run = make(names)
    execute([run], engine)
    before = rows.fingerprint(rows.read_run(run.folder))
    path = explain.path_of(run, "00016")
    path.unlink()
    (run.rows / "00016.parquet").unlink()
    recipe.write(run.folder, {**recipe.read(run.folder), "state": "running"})
    (outcome,) = execute([run], engine)
    assert outcome.done
    assert rows.fingerprint(rows.read_run(run.folder)) == before


def test_nobody_can_ask_for_others_when_the_model_is_spoiled(make: Make, engine: InlineEngine) -> None:
    run = make()
    execute([run], engine)
    with pytest.raises(EarwitnessError, match="made elsewhere, and none can be asked for when the model is spoiled"):
        of_run(run.folder, engine)


def test_two_submissions_of_one_id_are_refused(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from earwitness.cli.entrants import entrants_of

    run = make()
    other = make_submission(tmp_path / "others" / "mine")
    names = [str(run.submission.folder), str(other.folder)]
    with pytest.raises(EarwitnessError, match="have one id, mine; give one of them another in its card"):
        entrants_of([run.task], names)
    assert len(entrants_of([run.task], names[:1] * 2).pairs) == 2
