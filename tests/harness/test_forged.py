"""What a submission's code could have written is never read: parts without a seal, and files that it changed."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from earwitness.errors import EarwitnessError
from earwitness.harness import explain, recipe, score, watched
from earwitness.harness.run import execute, rescore
from earwitness.results import rows
from earwitness.results.seals import SEALS
from in_process import InlineEngine


def forged(run: Any, value: float) -> Any:
    """Rows of a run with one value for all, as a submission would like them."""
    table = rows.read_run(run.folder)
    index = table.column_names.index("value")
    return table.set_column(index, table.schema.field(index), [[value] * len(table)])


def test_rows_that_were_forged_while_explaining_are_not_taken(
    make_run: Callable[..., Any], box: Any, scoring: Any, engine: InlineEngine, tmp_path: Path
) -> None:
    run = make_run()
    (_honest,) = execute([run], engine)
    table = rows.read_run(run.folder)
    parts = {path.name: path.read_bytes() for path in run.rows.glob("*.parquet")}
    shutil.rmtree(run.folder)

    def forge(item: Any) -> None:
        run.rows.mkdir(parents=True, exist_ok=True)
        for name, content in parts.items():
            (run.rows / name).write_bytes(content[::-1])
        (run.rows / "zzz.parquet").write_bytes(next(iter(parts.values())))

    box.behave = forge
    (outcome,) = execute([run], engine)
    assert outcome.done
    assert rows.fingerprint(rows.read_run(run.folder)) == rows.fingerprint(table)
    assert sorted(path.name for path in run.rows.glob("*.parquet")) == sorted(parts)


def test_a_finished_run_whose_rows_nobody_here_wrote_is_made_again(
    make_run: Callable[..., Any], box: Any, scoring: Any, engine: InlineEngine
) -> None:
    run = make_run()
    execute([run], engine)
    honest = rows.fingerprint(rows.read_run(run.folder))
    lie = forged(run, 9.0)
    for path in run.rows.glob("*.parquet"):
        path.unlink()
    rows.write_table(lie, run.rows / "00000.parquet")
    stored = recipe.read(run.folder)
    claim = {"number": len(lie), "fingerprint": rows.fingerprint(lie)}
    recipe.write(run.folder, {**stored, "rows": claim})
    (outcome,) = execute([run], engine)
    assert outcome.done
    assert rows.fingerprint(rows.read_run(run.folder)) == honest


def test_explanations_that_nobody_here_wrote_are_made_again_and_can_be_scored_by_request(
    make_run: Callable[..., Any], box: Any, scoring: Any, engine: InlineEngine
) -> None:
    run = make_run()
    execute([run], engine)
    batches = len(box.batches)
    shutil.rmtree(run.folder / SEALS)
    assert rescore(run.folder, engine).done
    assert len(box.batches) == batches
    shutil.rmtree(run.folder / SEALS)
    (outcome,) = execute([run], engine)
    assert outcome.done
    assert len(box.batches) == 2 * batches


def test_nothing_is_scored_where_a_file_changed_meanwhile(
    make_run: Callable[..., Any], box: Any, scoring: Any, engine: InlineEngine
) -> None:
    run = make_run()
    card = run.task.folder / "task.toml"

    def tamper(item: Any) -> None:
        card.write_text(card.read_text() + "\n# nothing")

    box.behave = tamper
    with pytest.raises(EarwitnessError, match=r"task\.toml changed while submissions were explained, and nothing was"):
        execute([run], engine)
    assert not list(run.rows.glob("*.parquet"))


def test_a_rivals_rows_are_watched(make_run: Callable[..., Any], box: Any, scoring: Any, engine: InlineEngine) -> None:
    rival, run = make_run("rival"), make_run("mine")
    execute([rival], engine)
    (part, *_) = sorted(rival.rows.glob("*.parquet"))
    before = watched.seen([run])
    assert part in before
    assert watched.changed(before) == []
    part.write_bytes(part.read_bytes()[::-1])
    assert watched.changed(before) == [part]


def test_a_run_that_another_process_is_at_work_on_may_change(
    make_run: Callable[..., Any], box: Any, scoring: Any, engine: InlineEngine
) -> None:
    rival, run = make_run("rival"), make_run("mine")
    execute([rival], engine)
    recipe.write(rival.folder, {**recipe.read(rival.folder), "state": "running"})
    before = watched.seen([run])
    assert not [path for path in before if path.is_relative_to(rival.folder)]


def test_a_part_is_taken_for_what_it_says_only_by_its_own_run(
    make_run: Callable[..., Any], box: Any, scoring: Any, engine: InlineEngine
) -> None:
    run, other = make_run("mine"), make_run("other")
    execute([run, other], engine)
    shard = explain.shards({0: list(explained_items(run))})[0]
    shutil.copy(other.rows / f"{shard.name}.parquet", run.rows / f"{shard.name}.parquet")
    for path in (other.folder / SEALS).iterdir():
        shutil.copy(path, run.folder / SEALS / path.name)
    assert not score.is_scored(run, shard.name)


def explained_items(run: Any) -> list[Any]:
    from fakes import FakeScoring

    return FakeScoring(run.setting).items()[0]


def test_a_recipe_names_no_home(make_run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    run = make_run()
    recipe.write(run.folder, recipe.describe(run, ["run", "--out", str(run.out)]))
    text = (run.folder / "run.json").read_text()
    assert str(tmp_path) not in text
    assert "~/runs" in text
    assert recipe.reopen(run.folder).task.folder == run.task.folder
