"""A task's held-out items: who lacks them is told so in one line, and their runs tell which to their owner alone."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from earwitness import own_model
from earwitness.box import levels
from earwitness.errors import EarwitnessError, InvalidCardError
from earwitness.harness import recipe
from earwitness.harness.explain import box_of, brief_of
from earwitness.harness.recipe import Arguments, Run
from earwitness.held_out import HELD_OUT, OF_SECRET, files_digest, held_out, public_task, secret_of
from earwitness.private import SECRET, fingerprint
from earwitness.registry import submission
from earwitness.results.held_out import mark_of, public_of
from earwitness.results.rows import read_run
from earwitness.scoring.loading import load_records
from earwitness.task import Task, read_task
from in_process import earwitness_here
from outside_task import make_scenes_task
from tiny import tiny_musicgen
from tiny_captions import captions_of, make_captions_task

KEPT = "correct horse battery staple"
OTHER = "another secret, long enough"


def publish(folder: Path, **what: Any) -> Task:
    """Write what is published of a task's held-out items, and read the task."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in what.items()]
    (folder / HELD_OUT).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return read_task(folder)


@pytest.fixture
def drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    """A task of a made world whose secret is in the environment."""
    monkeypatch.setenv(SECRET, KEPT)
    return publish(make_scenes_task(tmp_path / "task"), fingerprint=fingerprint(KEPT), items=3)


def run_of(task: Task, out: Path, isolation: str = "process") -> Run:
    return Run(task, submission("random"), Arguments(device="cpu", isolation=isolation, held_out=OF_SECRET), out)


def test_what_is_published_beside_the_card_is_in_no_identity_of_the_task(drawn: Task) -> None:
    with_it = (drawn.hash, drawn.data_hash, drawn.seed_key)
    (drawn.folder / HELD_OUT).unlink()
    bare = read_task(drawn.folder)
    assert (bare.hash, bare.data_hash, bare.seed_key) == with_it


def test_a_secret_draws_other_items_and_another_secret_others_still(
    drawn: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = held_out(drawn, OF_SECRET)
    public = load_records(Run(drawn, submission("random"), Arguments(), tmp_path).setting)
    items = load_records(run_of(hidden, tmp_path).setting)
    assert (len(public), len(items)) == (2, 3)
    assert items == load_records(run_of(held_out(drawn, OF_SECRET), tmp_path).setting)
    monkeypatch.setenv(SECRET, OTHER)
    again = publish(drawn.folder, fingerprint=fingerprint(OTHER), items=3)
    others = load_records(run_of(held_out(again, OF_SECRET), tmp_path).setting)
    prompts = [{record.prompt for record in some} for some in (public, items, others)]
    assert not prompts[0] & prompts[1]
    assert not prompts[1] & prompts[2]


def test_rows_of_held_out_items_bear_a_mark_that_tells_no_secret(drawn: Task, tmp_path: Path) -> None:
    hidden = held_out(drawn, OF_SECRET)
    run = run_of(hidden, tmp_path)
    assert run.task_hash == f"{drawn.hash}-held{hidden.mark}"
    assert (public_of(run.task_hash), mark_of(run.task_hash)) == (drawn.hash, hidden.mark)
    assert hidden.data_hash != drawn.data_hash
    assert hidden.seed_key != drawn.seed_key
    # What is published again is other items.
    again = held_out(publish(drawn.folder, fingerprint=fingerprint(KEPT), items=4), OF_SECRET)
    assert again.mark != hidden.mark
    assert run_of(again, tmp_path).name != run.name != run_of(drawn, tmp_path).name
    assert public_task(hidden) is drawn
    seed = str(hidden.fresh)
    assert seed not in json.dumps(recipe.describe(run, [])) + run.task_hash + run.name


def test_a_run_of_the_card_s_items_is_called_what_it_was_before_items_were_held_out(
    drawn: Task, tmp_path: Path
) -> None:
    described = Run(drawn, submission("random"), Arguments(), tmp_path).arguments.described
    assert "held_out" not in described


@pytest.mark.parametrize(
    ("what", "complaint"),
    [
        ({"items": 3}, "one of them, and not both"),
        ({"fingerprint": "0" * 32, "digest": "0" * 64, "items": 3}, "one of them, and not both"),
        ({"fingerprint": "secret", "items": 3}, "fingerprint: String should match"),
        ({"digest": "0" * 16, "items": 3}, "digest: String should match"),
        ({"fingerprint": "0" * 32, "items": 0}, "items: Input should be greater than 0"),
        ({"fingerprint": "0" * 32, "items": 3, "seed": 7}, "unknown key 'seed'"),
    ],
)
def test_what_is_published_wrongly_is_refused_in_one_line(drawn: Task, what: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InvalidCardError, match=complaint) as told:
        held_out(publish(drawn.folder, **what), OF_SECRET)
    assert HELD_OUT in str(told.value)
    assert "\n" not in str(told.value)


def test_who_has_no_secret_another_or_the_wrong_kind_is_told(drawn: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EarwitnessError, match="--held-out secret, with the secret in EARWITNESS_SECRET"):
        held_out(drawn, str(drawn.folder))
    monkeypatch.setenv(SECRET, OTHER)
    with pytest.raises(EarwitnessError, match="holds the secret of another task"):
        held_out(drawn, OF_SECRET)
    monkeypatch.delenv(SECRET)
    with pytest.raises(EarwitnessError, match="only who has its secret"):
        held_out(drawn, OF_SECRET)
    (drawn.folder / HELD_OUT).unlink()
    with pytest.raises(EarwitnessError, match="has no held-out items: there is no"):
        held_out(drawn, OF_SECRET)


def test_a_private_world_and_one_that_is_not_made_have_no_secret_draw(drawn: Task, tmp_path: Path) -> None:
    card = drawn.folder / "task.toml"
    text = card.read_text(encoding="utf-8")
    card.write_text(text.replace("items = 2", f'items = 2\nparameters = {{ private = "{fingerprint(KEPT)}" }}'))
    with pytest.raises(EarwitnessError, match="private already"):
        held_out(read_task(drawn.folder), OF_SECRET)
    captions = publish(make_captions_task(tmp_path / "captions"), fingerprint=fingerprint(KEPT), items=2)
    with pytest.raises(EarwitnessError, match="musiccaps is none; publish the digest of files"):
        held_out(captions, OF_SECRET)


def test_files_are_held_out_items_where_their_digest_is_the_published_one(tmp_path: Path) -> None:
    public = make_captions_task(tmp_path / "task")
    files = captions_of(tmp_path / "own" / "captions.csv", ("a quiet dog", "the far rain"))
    task = publish(public, digest=files_digest(files), items=2)
    hidden = held_out(task, str(files))
    records = load_records(Run(hidden, submission("random"), Arguments(held_out=str(files)), tmp_path).setting)
    assert [record.prompt for record in records] == ["a quiet dog", "the far rain"]
    assert hidden.truth is None
    # Where files lie is no part of what they are.
    elsewhere = captions_of(tmp_path / "moved" / "captions.csv", ("a quiet dog", "the far rain"))
    moved = held_out(task, str(elsewhere))
    assert (moved.hash, moved.seed_key, moved.data_hash) == (hidden.hash, hidden.seed_key, hidden.data_hash)
    recorded = recipe.describe(Run(hidden, submission("random"), Arguments(), tmp_path), [])["task"]
    assert str(files) not in json.dumps(recorded)
    files.write_text(files.read_text().replace("quiet", "loud"))
    for wrong, complaint in ((str(files), "its digest is not the one in"), ("nowhere", "'nowhere' is none")):
        with pytest.raises(EarwitnessError, match=complaint):
            held_out(task, wrong)


@pytest.mark.parametrize("where", ["", "a\0b", "x" * 5000, "~nobody/x", "pipe", "loop"])
def test_a_path_that_leads_to_no_files_is_one_line(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = publish(make_captions_task(tmp_path / "task"), digest="0" * 64, items=2)
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    Path("loop").symlink_to("loop")
    with pytest.raises(EarwitnessError, match=r"is none|its digest is not") as told:
        held_out(task, where or "task")
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 500


def test_a_run_names_files_wherever_the_command_was_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = captions_of(tmp_path / "own.csv", ("a quiet dog", "the far rain"))
    task = publish(make_captions_task(tmp_path / "task"), digest=files_digest(files), items=2)
    monkeypatch.chdir(tmp_path)
    assert held_out(task, "own.csv").where == str(files)


def test_a_digest_is_of_names_and_contents(tmp_path: Path) -> None:
    digests = set()
    for number, (name, text) in enumerate((("a", "x"), ("b", "x"), ("a", "y"), ("a/b", "x"))):
        path = tmp_path / str(number) / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
        digests.add(files_digest(tmp_path / str(number)))
    assert len(digests) == 4
    assert all(len(digest) == 64 for digest in digests)


def test_no_submission_is_run_on_a_secret_without_isolation(drawn: Task, tmp_path: Path) -> None:
    for task in (held_out(drawn, OF_SECRET), private(drawn)):
        run = run_of(task, tmp_path)
        with pytest.raises(EarwitnessError, match="no submission may know its secret, and isolation 'process' keeps"):
            box_of(run, brief_of(run), tmp_path / "log")
        assert secret_of(task)
        strongest = levels.strongest()
        if strongest != "process":
            run = run_of(task, tmp_path, strongest)
            box_of(run, brief_of(run), tmp_path / "log").close()
    assert secret_of(drawn) == ""
    run = run_of(drawn, tmp_path)
    box_of(run, brief_of(run), tmp_path / "log").close()


def private(task: Task) -> Task:
    """The task in a private world."""
    dataset = task.card.dataset.model_copy(update={"parameters": {"private": fingerprint(KEPT)}})
    return Task(task.card.model_copy(update={"dataset": dataset}), task.folder)


def test_a_held_out_variant_of_one_s_own_model_is_of_that_model(drawn: Task, tmp_path: Path) -> None:
    mine = own_model.with_model(drawn, str(tiny_musicgen(tmp_path / "mine", seed=1)))
    hidden = held_out(mine, OF_SECRET)
    assert public_of(hidden.hash) == mine.hash != drawn.hash
    assert hidden.own_model == mine.own_model


def test_the_command_line_runs_scores_and_ranks_held_out_items_for_their_owner_alone(
    drawn: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["run", "--task", str(drawn.folder), "--submission", "random", "--device", "cpu"]
    ended = earwitness_here([*words, "--held-out", OF_SECRET, "--fresh", "7"], monkeypatch, capsys)
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "--fresh and --held-out each name other items" in ended.err
    ended = earwitness_here([*words, "--held-out", OF_SECRET, "--isolation", "process"], monkeypatch, capsys)
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "held-out items of tiny_scenes: isolation 'process' keeps nothing" in ended.err
    assert not (tmp_path / "runs").exists()
    for more in ([], ["--held-out", OF_SECRET]):
        assert earwitness_here([*words, *more], monkeypatch, capsys).code == 0
    runs = sorted((tmp_path / "runs").glob("tiny_scenes__*"))
    marks = {run: mark_of(read_run(run)["task_hash"][0].as_py()) for run in runs}
    (held,) = (run for run, mark in marks.items() if mark)
    assert len(runs) == 2
    assert json.loads((held / "run.json").read_text())["items"] == 3
    seed = str(held_out(drawn, OF_SECRET).fresh)
    assert seed not in (held / "run.json").read_text()
    assert earwitness_here(["score", str(held)], monkeypatch, capsys).code == 0
    ended = earwitness_here(["board"], monkeypatch, capsys)
    assert ended.code == 0
    assert f"tiny_scenes~held{marks[held][:6]}" in ended.out
    (found,) = (tmp_path / "board").glob("*.duckdb")
    assert seed.encode() not in found.read_bytes()
    monkeypatch.delenv(SECRET)
    ended = earwitness_here(["score", str(held)], monkeypatch, capsys)
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "only who has its secret" in ended.err
