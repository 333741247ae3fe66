"""Public and held-out items on the board: side by side, flagged where they differ, and no item of the latter told."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from rich.console import Console

import synthetic
from earwitness import board
from earwitness.board.held_out import OF_ITEMS, held_out_of, reading, said
from earwitness.board.printing import tasks_of
from earwitness.results.held_out import marked
from earwitness.results.rows import Row, read_run, write_part
from earwitness.stats.verdicts import Verdict
from synthetic import Plan, item_ids, write_originals, write_run
from test_board import build, rebuild, shelved, table

MARK = "0123456789abcdef"
SECRETS = ("hidden-", "moon", "4711471147114711")
"""Names of held-out items, a word of a caption of theirs, and the seed that draws them."""
SKILL = {"occlusion": 0.75, "attention": 0.7, "random": 0.0}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A board on which `attention` knew the public items by heart, and `occlusion` did not."""
    folder = tmp_path_factory.mktemp("board")
    with pytest.MonkeyPatch.context() as patch:
        plan = shelved(folder, patch, Plan(skill=SKILL, items=40, sounds=True))
        hidden = replace(plan, task_hash=marked(plan.task_hash, MARK), skill={**SKILL, "attention": 0.0}, items=30)
        for some in (plan, hidden):
            for submission in some.skill:
                hide(write_run(folder / "runs", some, submission), some is hidden)
            write_originals(folder / "runs", some)
        rebuild(folder)
        return folder


def hide(run: Path, hidden: bool) -> None:
    """Call the items and clusters of a run what only their owner may know."""
    if not hidden:
        return
    rows = [Row(**row) for row in read_run(run).to_pylist()]
    rows = [replace(row, item=f"hidden-{row.item}-4711471147114711", cluster=f"the moon {row.cluster}") for row in rows]
    write_part(rows, run / "rows" / "0000.parquet")
    recipe = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(
        json.dumps({**recipe, "command": ["--held-out", "/moon"], "seeds": {"fresh": 4711471147114711}})
    )


def records(folder: Path) -> dict[tuple[str, str], dict]:
    found = table(folder / "board", "SELECT * FROM held_out WHERE task_key = 'planted'")
    return {(record["entrant"], record["metric"]): record for record in found}


def test_who_falls_on_held_out_items_is_flagged_and_who_does_not_is_not(built: Path) -> None:
    found = records(built)
    assert {entrant for entrant, _ in found} == {"occlusion", "attention"}
    for (entrant, _), record in found.items():
        assert record["held_out_key"] == f"planted~held{MARK[:6]}"
        assert (record["items"], record["held_out_items"], record["family"]) == (40, 30, 8)
        if entrant == "attention":
            assert (record["verdict"], record["flagged"]) == (Verdict.BETTER, True)
            assert record["low"] > 0
            assert said(record) == "more faithful on public items"
        else:
            assert (record["verdict"], record["flagged"]) == (Verdict.NOT_TOLD, False)
            assert record["low"] < 0 < record["high"]


def test_gains_are_over_the_floor_on_the_same_items_and_lower_metrics_count_the_other_way(built: Path) -> None:
    query = "SELECT entrant, metric, mean FROM results WHERE task_key = ? AND entrant IN ('attention', 'random')"
    keys = {"gain": "planted", "held_out_gain": f"planted~held{MARK[:6]}"}
    for column, key in keys.items():
        found = {(r["entrant"], r["metric"]): r["mean"] for r in table(built / "board", query.replace("?", f"'{key}'"))}
        for metric, sign in (("fid_cf@top30", 1), ("fid_f@top30", -1)):
            gain = sign * (found["attention", metric] - found["random", metric])
            assert records(built)["attention", metric][column] == pytest.approx(gain)


def test_scores_of_both_stand_side_by_side_and_in_no_rank_together(built: Path) -> None:
    query = "SELECT task_key, entrant, score FROM ranks ORDER BY task_key"
    scores = {(r["task_key"], r["entrant"]): r["score"] for r in table(built / "board", query)}
    record = records(built)["attention", "fid_f@top30"]
    assert record["score"] == scores["planted", "attention"]
    assert record["held_out_score"] == scores[f"planted~held{MARK[:6]}", "attention"]
    assert len(scores) == 6


def test_no_item_no_row_and_no_recipe_of_held_out_items_is_on_the_board(built: Path) -> None:
    connection = duckdb.connect(str(board.current(built / "board")), read_only=True)
    names = [name for (name,) in connection.execute("SHOW TABLES").fetchall()]
    told = {name: str(connection.execute(f'SELECT * FROM "{name}"').fetchall()) for name in names}
    connection.close()
    assert "held_out" in names
    assert [name for name, text in told.items() if any(secret in text for secret in SECRETS)] == []
    assert item_ids(Plan())[0] in told["rows"]
    for name in ("rows", "items", "item_values", "runs", "inputs", "exhibits"):
        assert "planted" in told[name]
        assert MARK not in told[name]


def test_the_printed_board_and_the_static_page_show_both(built: Path, tmp_path: Path) -> None:
    console = Console(width=160, file=io.StringIO())
    board.print_ranking(built / "board", console)
    assert isinstance(console.file, io.StringIO)
    printed = console.file.getvalue()
    page = board.export(built / "board", tmp_path).read_text(encoding="utf-8")
    for text in (printed, page):
        assert "Held-out items" in text
        assert "attention !" in text
        assert "occlusion !" not in text
        assert "more faithful on public items" in text
        assert "their owner" in text
        assert not [secret for secret in SECRETS if secret in text]
    assert not [path for path in tmp_path.rglob("*") if "held" in path.name]


def test_a_reader_is_told_what_is_compared(built: Path) -> None:
    connection = board.connect(built / "board")
    task = next(task for task in tasks_of(connection) if task["task_key"] == "planted")
    text = reading(held_out_of(connection, task))
    connection.close()
    assert "adjusted (max-T) over 8 comparisons" in text


def test_without_public_rows_or_a_floor_nothing_is_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = shelved(tmp_path, monkeypatch, Plan(skill=SKILL))
    hidden = replace(plan, task_hash=marked(plan.task_hash, MARK))
    for submission in SKILL:
        write_run(tmp_path / "runs", hidden, submission)
    rebuild(tmp_path)
    assert records(tmp_path) == {}
    for submission in ("occlusion", "attention"):
        write_run(tmp_path / "runs", plan, submission)
    rebuild(tmp_path)
    assert records(tmp_path) == {}
    write_run(tmp_path / "runs", plan, "random")
    rebuild(tmp_path)
    assert len(records(tmp_path)) == 8


def test_held_out_items_of_other_seeds_are_compared_with_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = shelved(tmp_path, monkeypatch, Plan(skill=SKILL))
    for some in (plan, replace(plan, task_hash=marked(plan.task_hash, MARK), seed=5)):
        for submission in SKILL:
            write_run(tmp_path / "runs", some, submission)
    rebuild(tmp_path)
    assert records(tmp_path) == {}


def test_the_items_of_a_private_world_are_withheld_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = Plan(skill=SKILL, items=8)
    card = synthetic.card
    private = {"adapter": "scenes", "items": 8, "parameters": {"private": "0" * 32}}
    monkeypatch.setattr(synthetic, "card", lambda some: {**card(some), "dataset": private})
    plan = shelved(tmp_path, monkeypatch, plan)
    path = build(tmp_path, plan)
    found = {name: table(path, f"SELECT count(*) AS n FROM {name}")[0]["n"] for name in ("rows", *OF_ITEMS)}
    assert set(found.values()) == {0}
    assert table(path, "SELECT count(*) AS n FROM ranks") == [{"n": 3}]
    assert "their owner's alone" in table(path, "SELECT note FROM tasks")[0]["note"]
