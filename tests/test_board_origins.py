"""Explanations that were made elsewhere on the board: ranked like any other, marked, and of no known cost."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from earwitness import board, registry
from earwitness.board import origins
from earwitness.errors import EarwitnessError
from earwitness.results.rows import UNVERIFIED
from earwitness.stats.intervals import Resampling
from earwitness.task import read_task
from synthetic import Plan, made_elsewhere, write_run, write_task

ELSEWHERE = "attention"
SKILL = {"occlusion": 0.75, ELSEWHERE: 0.4, "random": 0.0}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A board of three entrants, of whom one was made elsewhere."""
    folder = tmp_path_factory.mktemp("origins")
    plan = Plan(skill=SKILL, items=10)
    task = write_task(folder / "registry", plan)
    home = registry.home
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "home", lambda kind: folder / "registry" if kind == "tasks" else home(kind))
        plan = replace(plan, task_hash=read_task(task).hash)
        runs = {name: write_run(folder / "runs", plan, name) for name in SKILL}
        made_elsewhere(runs[ELSEWHERE])
        yield board.build(folder / "runs", folder / "board", Resampling(draws=100))


def printed(path: Path, only: str = "") -> str:
    text = io.StringIO()
    board.print_ranking(path, Console(file=text, width=140), only)
    return text.getvalue()


def query(path: Path, sql: str) -> list[dict[str, Any]]:
    connection = board.connect(path)
    try:
        return board.records(connection, sql)
    finally:
        connection.close()


def test_it_meets_the_others_in_one_rank_and_its_cost_is_not_known(path: Path) -> None:
    records = {record["entrant"]: record for record in board.ranking_records(path)}
    assert {name: record["made_elsewhere"] for name, record in records.items()} == {
        "occlusion": False,
        ELSEWHERE: True,
        "random": False,
    }
    assert len({record["task_key"] for record in records.values()}) == 1
    assert all(record["rank"] is not None for record in records.values())
    costs = ("seconds", "forwards", "backwards", "peak_bytes")
    assert [records[ELSEWHERE][name] for name in costs] == [None] * 4
    assert records["occlusion"]["seconds"] == 0.1
    items = query(path, f"SELECT DISTINCT seconds, forwards FROM items WHERE entrant = '{ELSEWHERE}'")
    assert items == [{"seconds": None, "forwards": None}]


def test_what_costs_nothing_that_anybody_saw_is_on_no_front(path: Path) -> None:
    points = {point["entrant"]: point for point in query(path, "SELECT * FROM budgets")}
    assert points[ELSEWHERE]["passes"] is None
    assert not points[ELSEWHERE]["front"]
    assert not points[ELSEWHERE]["front_seconds"]
    assert points["occlusion"]["front"]
    assert points["occlusion"]["front_seconds"]


def test_the_printed_ranking_marks_it_and_says_what_the_mark_is(path: Path) -> None:
    text = printed(path)
    assert f"{ELSEWHERE} ‡" in text
    assert "occlusion ‡" not in text
    assert UNVERIFIED in text
    assert origins.NOTE in " ".join(text.split())
    assert "are shown" not in text


@pytest.mark.parametrize(
    ("only", "shown"), [("code", {"occlusion", "random"}), ("explanations", {ELSEWHERE}), ("", set(SKILL))]
)
def test_the_filter_shows_one_origin_alone_and_ranks_stay(path: Path, only: str, shown: set[str]) -> None:
    every = {record["entrant"]: record["rank"] for record in board.ranking_records(path)}
    records = {record["entrant"]: record["rank"] for record in board.ranking_records(path, only)}
    assert records == {name: every[name] for name in shown}
    text = printed(path, only)
    tables = text.partition(board.ranking_records(path)[0]["sentence"][:20])[0]
    assert {name for name in SKILL if name in tables} == shown
    assert ("of 3 submissions are shown; places are among all of them" in text) == bool(only)


def test_an_unknown_origin_is_refused(path: Path) -> None:
    with pytest.raises(EarwitnessError, match="--only 'boxed' is none of code, explanations"):
        board.ranking_records(path, "boxed")


def test_the_exported_page_has_the_mark_and_its_note(path: Path, tmp_path: Path) -> None:
    page = board.export(path.parent, tmp_path).read_text(encoding="utf-8")
    assert f"{ELSEWHERE} ‡" in page
    assert origins.NOTE in page
