import errno
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from earwitness.errors import EarwitnessError, ModelError, NotComparableError
from earwitness.harness import recipe
from earwitness.harness.claim import claimed
from earwitness.harness.run import execute, rescore
from earwitness.harness.stages import LOG
from earwitness.results import former, rows
from earwitness.task import Task, read_task


def test_a_run_leaves_recipe_explanations_and_a_row_for_each_item_and_metric(
    make_run: Any, engine: Any, box: Any, scoring: Any
) -> None:
    run = make_run()
    (outcome,) = execute([run], engine)
    assert (outcome.items, outcome.failed, outcome.done, outcome.errors) == (40, 0, True, [])
    assert outcome.seconds == pytest.approx(20.0)
    assert sorted(path.name for path in run.explanations.iterdir()) == [f"{i:05d}.safetensors" for i in (0, 16, 32)]
    table = rows.read_run(run.folder)
    assert len(table) == 80
    first = table.to_pylist()[0]
    assert first["run"] == run.name
    assert (first["seconds"], first["forwards"], first["backwards"], first["peak_bytes"]) == (0.5, 3, 2, 1024)
    assert first["cluster"] == "cluster-0"
    known = recipe.read(run.folder)
    assert known["state"] == "done"
    assert known["rows"] == {"number": 80, "fingerprint": rows.fingerprint(table)}
    assert known["arguments"]["defaulted"]["seed"] == 0
    assert known["task"]["hash"] == run.task.hash
    assert {"torch", "python", "earwitness"} <= set(known["versions"])


def test_each_item_is_explained_under_each_explainer_seed(make_run: Any, engine: Any, box: Any, scoring: Any) -> None:
    scoring.problem = "item-003"
    run = make_run(explainer_seeds=(0, 2), seed=5)
    (outcome,) = execute([run], engine)
    assert (outcome.items, outcome.failed, outcome.done) == (40, 1, True)
    assert outcome.seconds == pytest.approx(2 * 0.5 * 39)
    names = [f"{i:05d}" for i in (0, 16, 32)]
    parts = sorted([*names, *(f"{name}-seed2" for name in names)])
    assert sorted(path.stem for path in run.explanations.iterdir()) == parts
    table = rows.read_run(run.folder)
    by_seed = {seed: table.filter(pc.equal(table["explainer_seed"], seed)) for seed in (5, 7)}
    assert {seed: len(set(some["item"].to_pylist())) for seed, some in by_seed.items()} == {5: 40, 7: 39}
    means = [some.filter(pc.equal(some["status"], "ok"))["value"].to_numpy() for some in by_seed.values()]
    assert not np.array_equal(*means)
    assert set(table["task_hash"].to_pylist()) == {f"{run.task.hash}-seed5"}
    assert recipe.reopen(run.folder).arguments == run.arguments
    (run.explanations / "00016-seed2.safetensors").unlink()
    (run.rows / "00016-seed2.parquet").unlink()
    recipe.write(run.folder, {**recipe.read(run.folder), "state": "running"})
    box.batches.clear()
    execute([run], engine)
    assert len(box.batches) == 1
    assert rows.fingerprint(rows.read_run(run.folder)) == rows.fingerprint(table)


def test_a_run_under_one_explainer_seed_is_called_what_it_was_before_there_were_several(make_run: Any) -> None:
    one, more = make_run(), make_run(explainer_seeds=(0, 1))
    assert "explainer_seeds" not in one.arguments.described
    assert one.name != more.name


def test_a_finished_run_is_left_alone(make_run: Any, engine: Any, box: Any, scoring: Any) -> None:
    execute([make_run()], engine)
    before = len(box.batches)
    (outcome,) = execute([make_run()], engine)
    assert outcome.done
    assert outcome.items == 40
    assert len(box.batches) == before


def test_what_is_missing_is_made_again_and_nothing_else(make_run: Any, engine: Any, box: Any, scoring: Any) -> None:
    run = make_run()
    execute([run], engine)
    whole = rows.fingerprint(rows.read_run(run.folder))
    (run.explanations / "00016.safetensors").unlink()
    (run.rows / "00016.parquet").unlink()
    (run.rows / "00032.parquet").unlink()
    recipe.write(run.folder, {**recipe.read(run.folder), "state": "running"})
    box.batches.clear()
    execute([run], engine)
    assert [batch[0] for batch in box.batches] == ["item-016"]
    assert rows.fingerprint(rows.read_run(run.folder)) == whole


def test_other_arguments_make_another_run(make_run: Any) -> None:
    names = {make_run(**arguments).name for arguments in ({}, {"items": 3}, {"seed": 1}, {"fresh": 1})}
    assert len(names) == 4


def test_fresh_items_never_meet_the_cards(make_run: Any, engine: Any, box: Any, scoring: Any) -> None:
    run = make_run(fresh=7, items=2)
    execute([run], engine)
    assert set(rows.read_run(run.folder)["task_hash"].to_pylist()) == {f"{run.task.hash}-fresh7"}


def test_a_failed_item_is_a_row_of_every_metric_and_the_others_are_scored(
    make_run: Any, engine: Any, box: Any, scoring: Any
) -> None:
    box.behave = lambda item: {"item-003": "invalid", "item-017": "die"}.get(item.id)
    run = make_run()
    (outcome,) = execute([run], engine)
    assert (outcome.items, outcome.failed, outcome.done) == (40, 2, True)
    bad = [row for row in rows.read_run(run.folder).to_pylist() if row["status"] != "ok"]
    assert {(row["item"], row["metric"], row["status"], row["reason"], row["value"]) for row in bad} == {
        (item, metric, status, reason, None)
        for item, status, reason in (
            ("item-003", "invalid", "TokenMap.weights must be finite"),
            ("item-017", "failed", "the explainer's process ended with exit code 9"),
        )
        for metric in ("size", "logit_kl_f@top30")
    }


def test_an_item_that_cannot_be_explained_is_a_row_with_the_reason(
    make_run: Any, engine: Any, box: Any, scoring: Any
) -> None:
    scoring.problem = "item-001"
    run = make_run(items=3)
    (outcome,) = execute([run], engine)
    assert (outcome.items, outcome.failed, outcome.done) == (3, 1, True)
    assert outcome.reasons == {"the prompt has no words": 1}
    statuses = {row["item"]: row["status"] for row in rows.read_run(run.folder).to_pylist()}
    assert statuses == {"item-000": "ok", "item-001": "invalid", "item-002": "ok"}


def test_a_full_disk_loses_no_other_shard_and_the_same_command_resumes(
    make_run: Any, engine: Any, box: Any, scoring: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_table = pq.write_table

    def full(table: Any, where: Path, **options: Any) -> None:
        if "00016" in Path(where).name:
            Path(where).write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        write_table(table, where, **options)

    run = make_run()
    with monkeypatch.context() as patch:
        patch.setattr(pq, "write_table", full)
        (outcome,) = execute([run], engine)
    assert not outcome.done
    assert len(outcome.errors) == 1
    assert "No space left on device" in outcome.errors[0]
    assert "\n" not in outcome.errors[0]
    assert sorted(path.name for path in run.rows.iterdir()) == ["00000.parquet", "00032.parquet"]
    assert recipe.read(run.folder)["state"] == "incomplete"
    (outcome,) = execute([run], engine)
    assert outcome.done
    assert len(rows.read_run(run.folder)) == 80


def test_a_full_disk_while_explaining_ends_in_one_line(
    make_run: Any, engine: Any, box: Any, scoring: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    run = make_run()
    with monkeypatch.context() as patch:
        patch.setattr("earwitness.scoring.files.save_file", full)
        (outcome,) = execute([run], engine)
    assert "No space left on device" in outcome.errors[0]
    assert execute([run], engine)[0].done


def test_a_task_that_cannot_be_prepared_leaves_the_other_runs_alone(
    make_run: Any, engine: Any, box: Any, scoring: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from earwitness.harness import score

    def load(setting: Any) -> Any:
        if setting.seed == 1:
            raise EarwitnessError("model: no weights")
        return scoring(setting)

    monkeypatch.setattr(score, "load", load)
    good, bad = execute([make_run(items=2), make_run(items=2, seed=1)], engine)
    assert good.done
    assert (bad.done, bad.errors) == (False, ["model: no weights"])


def test_a_package_that_scoring_lacks_is_said_before_anything_is_explained(
    make_run: Any, engine: Any, box: Any, scoring: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def require(task: Any) -> None:
        raise EarwitnessError("listener is not installed: pip install listener")

    def prepare(*_: Any) -> None:
        raise AssertionError("originals were made")

    run = make_run(items=2)
    with monkeypatch.context() as patch:
        patch.setattr("earwitness.harness.run.require_packages", require)
        patch.setattr("earwitness.harness.score.prepare", prepare)
        (outcome,) = execute([run], engine)
    assert outcome.errors == outcome.shared == ["listener is not installed: pip install listener"]
    assert not outcome.begun
    assert not run.folder.exists()
    assert execute([run], engine)[0].done


def test_a_run_of_another_code_is_moved_aside_and_made_again(
    make_run: Any, engine: Any, box: Any, scoring: Any
) -> None:
    run = make_run(items=2)
    execute([run], engine)
    known = recipe.read(run.folder)
    recipe.write(run.folder, {**known, "versions": {**known["versions"], "torch": "0.1"}})
    (outcome,) = execute([run], engine)
    assert outcome.done
    assert recipe.read(run.folder)["versions"]["torch"] == known["versions"]["torch"]
    (aside,) = (run.out / ".old").iterdir()
    assert json.loads((aside / "run.json").read_text())["versions"]["torch"] == "0.1"


def test_a_metric_that_is_measured_otherwise_scores_the_same_explanations_again(
    make_run: Any, engine: Any, box: Any, scoring: Any
) -> None:
    run = make_run(items=2)
    execute([run], engine)
    known = recipe.read(run.folder)
    recipe.write(run.folder, {**known, "measured": {**known["measured"], "size": "other"}})
    before = len(box.batches)
    (outcome,) = execute([run], engine)
    assert outcome.done
    assert len(box.batches) == before
    assert recipe.read(run.folder)["measured"] == known["measured"]


@pytest.mark.parametrize("verb", ["run", "score"])
def test_one_more_metric_of_the_card_is_scored_and_nothing_is_explained_again(
    make_run: Any, engine: Any, box: Any, scoring: Any, verb: str
) -> None:
    run = make_run(items=20)
    execute([run], engine)
    before, explained = rows.read_run(run.folder), len(box.batches)
    card = run.task.folder / "task.toml"
    card.write_text(card.read_text() + '\n[[metrics]]\nmetric = "logit_kl_cf"\nparameters = { mask = "top30" }\n')
    again = replace(run, task=read_task(run.task.folder))
    assert again.folder == run.folder
    outcome = rescore(run.folder, engine) if verb == "score" else execute([again], engine)[0]
    assert (outcome.done, outcome.failed) == (True, 0)
    assert len(box.batches) == explained
    after = rows.read_run(run.folder)
    assert sorted(set(after["metric"].to_pylist())) == ["logit_kl_cf@top30", "logit_kl_f@top30", "size"]
    kept = after.filter(pc.not_equal(after["metric"], "logit_kl_cf@top30"))
    assert rows.fingerprint(kept) == rows.fingerprint(before)
    assert list((run.out).glob(".old/*")) == []


def test_other_code_of_the_model_is_explained_again_and_scoring_alone_is_refused(
    make_run: Any, engine: Any, box: Any, scoring: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(items=2)
    execute([run], engine)
    monkeypatch.setattr(Task, "code_hash", "0" * 16)
    with pytest.raises(NotComparableError, match="model or dataset has changed since it was explained; run again"):
        rescore(run.folder, engine)
    again = make_run(items=2)
    assert (again.folder, again.task_hash == run.task_hash) == (run.folder, False)
    (outcome,) = execute([again], engine)
    assert outcome.done
    assert len(box.batches) == 2
    assert len(list(run.out.glob(".old/*"))) == 1
    assert set(rows.read_run(run.folder)["task_hash"].to_pylist()) == {again.task_hash}


def test_a_run_of_the_first_format_is_taken_over_by_its_hashes(
    make_run: Any, engine: Any, box: Any, scoring: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(items=20)
    execute([run], engine)
    whole = rows.read_run(run.folder)
    old = _as_first_format(run, monkeypatch)
    explained = len(box.batches)
    (outcome,) = execute([make_run(items=20)], engine)
    assert outcome.done
    assert (old.exists(), len(box.batches)) == (False, explained)
    assert rows.fingerprint(rows.read_run(run.folder)) == rows.fingerprint(whole)
    assert recipe.read(run.folder)["measured"] == run.measured


def test_a_finished_run_whose_rows_are_gone_or_others_is_scored_again(
    make_run: Any, engine: Any, box: Any, scoring: Any
) -> None:
    run = make_run(items=20)
    execute([run], engine)
    whole, explained = rows.fingerprint(rows.read_run(run.folder)), len(box.batches)
    next(run.rows.glob("*.parquet")).unlink()
    (outcome,) = execute([run], engine)
    assert (outcome.done, len(box.batches)) == (True, explained)
    assert rows.fingerprint(rows.read_run(run.folder)) == whole


def test_a_copy_of_a_run_is_not_scored_in_its_place(make_run: Any, engine: Any, box: Any, scoring: Any) -> None:
    run = make_run(items=2)
    execute([run], engine)
    copy = Path(shutil.copytree(run.folder, run.out / "backup"))
    with pytest.raises(EarwitnessError, match="is a copy or was renamed"):
        rescore(copy, engine)


def test_a_full_disk_leaves_a_run_of_the_first_format_as_it_was(
    make_run: Any, engine: Any, box: Any, scoring: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(items=20)
    execute([run], engine)
    old = _as_first_format(run, monkeypatch)
    before = rows.fingerprint(rows.read_run(old))

    def full(*_: Any, **__: Any) -> None:
        raise EarwitnessError("cannot write rows: No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(rows, "write_table", full)
        with pytest.raises(EarwitnessError, match="No space left"):
            execute([make_run(items=20)], engine)
    assert rows.fingerprint(rows.read_run(old)) == before
    assert not run.folder.exists()
    assert execute([make_run(items=20)], engine)[0].done


def test_a_run_of_the_first_format_is_translated_where_it_is_read(
    make_run: Any, engine: Any, box: Any, scoring: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(items=2)
    execute([run], engine)
    whole = rows.read_run(run.folder)
    old = _as_first_format(run, monkeypatch)
    assert rows.read_run(old)["task_hash"].to_pylist()[0] == "old task"
    assert rows.fingerprint(former.translated(rows.read_run(old))) == rows.fingerprint(whole)


def _as_first_format(run: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a run's folder one of the first format, whose hashes the table of former ones lists."""
    track, own = run.task.card.track, former.folder_hash(run.submission.folder)
    task = former.FormerTask(track, run.task.data_hash, run.task.hash, run.measured)
    monkeypatch.setattr(former, "task", {"old task": task}.get)
    monkeypatch.setattr(former, "submission", lambda hash, track: run.submission_hash if hash == own else None)
    for path in run.rows.glob("*.parquet"):
        part = rows.read_parts([path]).drop_columns(["metric_hash"])
        for name, text in (("task_hash", "old task"), ("submission_hash", own), ("run", "old name")):
            part = rows.with_texts(part, name, [text] * len(part))
        pq.write_table(part, path)
    known = recipe.read(run.folder)
    del known["format"], known["measured"]
    known["task"]["hash"], known["submission"]["hash"] = "old task", own
    known["rows"]["fingerprint"] = rows.fingerprint(rows.read_run(run.folder))
    recipe.write(run.folder, {**known, "identity": "old", "run": "old name"})
    old: Path = run.out / f"{run.task.id}__{run.submission.id}__0ld"
    run.folder.rename(old)
    return old


def test_a_run_is_scored_again_from_its_explanations(make_run: Any, engine: Any, box: Any, scoring: Any) -> None:
    run = make_run(items=20)
    execute([run], engine)
    whole = rows.fingerprint(rows.read_run(run.folder))
    for part in run.rows.iterdir():
        part.unlink()
    before = len(box.batches)
    assert rescore(run.folder, engine).done
    assert rows.fingerprint(rows.read_run(run.folder)) == whole
    assert len(box.batches) == before
    assert recipe.read(run.folder)["rows"]["fingerprint"] == whole


def test_scoring_again_without_explanations_says_what_to_do(make_run: Any, engine: Any, box: Any, scoring: Any) -> None:
    run = make_run(items=20)
    execute([run], engine)
    (run.explanations / "00000.safetensors").unlink()
    with pytest.raises(EarwitnessError, match="lacks explanations"):
        rescore(run.folder, engine)
    assert len(rows.read_run(run.folder)) == 40


def test_a_run_that_could_not_start_leaves_nothing_behind(make_run: Any, engine: Any, box: Any, scoring: Any) -> None:
    def unreadable(self: Any) -> None:
        raise ModelError("cannot read the model")

    scoring.items = unreadable
    run = make_run()
    (outcome,) = execute([run], engine)
    assert (outcome.errors, outcome.done, outcome.begun) == (["cannot read the model"], False, False)
    assert not run.out.exists()


@pytest.mark.parametrize("there", ["", "a", "a/b/c"])
def test_a_run_that_could_not_start_leaves_the_folders_that_were_there_and_no_other(
    make_run: Any, engine: Any, box: Any, scoring: Any, tmp_path: Path, there: str
) -> None:
    def unreadable(self: Any) -> None:
        raise ModelError("cannot read the model")

    scoring.items = unreadable
    top = tmp_path / "out"
    (top / there).mkdir(parents=True)
    run = replace(make_run(), out=top / "a/b/c")
    execute([run], engine)
    left = sorted(path.relative_to(top).as_posix() for path in top.rglob("*"))
    assert left == {"": [], "a": ["a"], "a/b/c": ["a", "a/b", "a/b/c"]}[there]


def test_what_was_in_the_folder_of_a_run_that_could_not_start_stays(
    make_run: Any, engine: Any, box: Any, scoring: Any
) -> None:
    def unreadable(self: Any) -> None:
        raise ModelError("cannot read the model")

    scoring.items = unreadable
    run = make_run()
    run.out.mkdir(parents=True)
    (run.out / LOG).write_text("of another run")
    (run.out / "mine.txt").touch()
    execute([run], engine)
    assert sorted(path.name for path in run.out.iterdir()) == [LOG, "mine.txt"]


def test_of_two_that_begin_a_run_at_once_one_goes_on_with_the_others_recipe(
    make_run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run()
    first = {**recipe.describe(run, ["first"]), "device": "cpu"}
    describe = recipe.describe

    def other_was_faster(run: Any, command: list[str]) -> dict[str, Any]:
        """The other writes its recipe between the look for one and the writing."""
        link = os.link

        def late(source: Any, target: Any) -> None:
            monkeypatch.setattr(os, "link", link)
            with monkeypatch.context() as other:
                other.setattr(os, "getpid", lambda: 0)
                recipe.write(run.folder, first, exclusive=True)
            link(source, target)

        monkeypatch.setattr(os, "link", late)
        return describe(run, command)

    monkeypatch.setattr(recipe, "describe", other_was_faster)
    assert claimed(run, print) is False
    assert recipe.read(run.folder) == first
    assert [path.name for path in run.folder.iterdir()] == ["run.json"]


def test_what_others_keep_in_a_folder_stays_where_a_run_cannot_start(
    make_run: Any, engine: Any, box: Any, scoring: Any
) -> None:
    whole = make_run("whole")
    execute([whole], engine)

    def unreadable(self: Any) -> None:
        raise ModelError("cannot read the model")

    scoring.items = unreadable
    run = make_run(items=3)
    execute([run], engine)
    assert not run.folder.exists()
    assert rows.read_run(whole.folder)


def test_an_interrupted_run_keeps_its_scratch_and_its_originals(
    make_run: Any, engine: Any, box: Any, scoring: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run()

    def interrupted(run: Any, *_: object) -> None:
        run.scratch.mkdir(parents=True, exist_ok=True)
        (run.scratch / "epoch-3").touch()
        (run.out / recipe.ORIGINALS / "task").mkdir()
        (run.out / recipe.ORIGINALS / "task" / "items-0000.safetensors").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr("earwitness.harness.explain.explain", interrupted)
    with pytest.raises(KeyboardInterrupt):
        execute([run], engine)
    assert (run.scratch / "epoch-3").is_file()
    assert (run.folder / "run.json").is_file()
    assert list((run.out / recipe.ORIGINALS).rglob("items-*"))


def test_an_interrupted_run_stays_where_it_has_explanations(make_run: Any, engine: Any, box: Any, scoring: Any) -> None:
    def interrupted(self: Any, *_: object) -> None:
        raise KeyboardInterrupt

    score_them = scoring.score
    scoring.score = interrupted
    run = make_run()
    with pytest.raises(KeyboardInterrupt):
        execute([run], engine)
    assert list(run.explanations.glob("*.safetensors"))
    scoring.score = score_them
    (outcome,) = execute([run], engine)
    assert outcome.done
