"""What the board says of budgets: rows of other budgets meet nobody in a rank, and stand on a curve."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from earwitness import board, registry
from earwitness.board.curves import _beaten
from earwitness.errors import EarwitnessError
from earwitness.results.curves import Convergence, Settled, write_convergence
from earwitness.results.rows import Row, read_run, write_part
from earwitness.stats.intervals import Resampling
from earwitness.task import read_task
from synthetic import SKILL, Plan, write_run, write_task

BUDGETS = {10: 0.2, 20: 0.4, 80: 0.85}
OWN = 40


def set_cost(folder: Path, forwards: int, backwards: int) -> None:
    rows = [Row(**row) for row in read_run(folder).to_pylist()]
    write_part(
        [replace(row, forwards=forwards, backwards=backwards, seconds=forwards / 100) for row in rows],
        folder / "rows" / "0000.parquet",
    )


def edit(folder: Path, **submission: Any) -> None:
    recipe = json.loads((folder / "run.json").read_text())
    recipe["submission"] |= submission
    (folder / "run.json").write_text(json.dumps(recipe))


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Runs of five entrants, one of them at three more budgets, and of those alone; the board's folder."""
    folder = tmp_path_factory.mktemp("curves")
    skill = {**SKILL, **{f"occlusion_at_{value}": reached for value, reached in BUDGETS.items()}}
    plan = Plan(skill=skill, items=12)
    task = write_task(folder / "registry", plan)
    plan = replace(plan, task_hash=read_task(task).hash)
    home = registry.home
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "home", lambda kind: folder / "registry" if kind == "tasks" else home(kind))
        runs = {id: write_run(folder / "runs", plan, id) for id in skill}
        hashes = {id: read_run(run)["submission_hash"][0].as_py() for id, run in runs.items()}
        card = json.loads((runs["occlusion"] / "run.json").read_text())["submission"]["card"]
        curve = {"parameter": "masks", "values": [10, 20, OWN, 80]}
        edit(runs["occlusion"], card={**card, "parameters": {"masks": OWN}, "curve": curve})
        set_cost(runs["occlusion"], OWN, 5)
        for value in BUDGETS:
            of = {"of": "occlusion", "of_hash": hashes["occlusion"], "value": value}
            edit(runs[f"occlusion_at_{value}"], budget=of)
            set_cost(runs[f"occlusion_at_{value}"], value, 5)
        alike = {10: 0.3, 20: 0.6, OWN: 0.9, 80: 1.0}
        ids = {value: "occlusion" if value == OWN else f"occlusion_at_{value}" for value in alike}
        settled = [
            Settled(value=value, submission_hash=hashes[ids[value]], convergence=found, items=12)
            for value, found in alike.items()
        ]
        write_convergence(
            runs["occlusion"],
            Convergence(
                task_hash=plan.task_hash, submission="occlusion", submission_hash=hashes["occlusion"],
                parameter="masks", largest=80, budgets=settled,
            ),
        )  # fmt: skip
        yield folder


def built(shelf: Path, runs: Path) -> Path:
    return board.build(runs, shelf / "board", Resampling(draws=100))


@pytest.fixture(scope="module")
def path(shelf: Path) -> Path:
    return built(shelf, shelf / "runs")


def table(path: Path, query: str) -> list[dict]:
    connection = board.connect(path)
    try:
        return board.records(connection, query)
    finally:
        connection.close()


def test_other_budgets_are_no_entrants_and_move_no_number_of_those(shelf: Path, path: Path) -> None:
    with_budgets = {
        name: table(path, f"SELECT * FROM {name} ORDER BY ALL") for name in ("ranks", "contrasts", "results")
    }
    assert {row["entrant"] for row in with_budgets["ranks"]} == set(SKILL)
    few = shelf / "few"
    few.mkdir()
    for run in (shelf / "runs").iterdir():
        if "_at_" not in run.name:
            (few / run.name).symlink_to(run)
    alone = built(shelf, few)
    assert with_budgets == {name: table(alone, f"SELECT * FROM {name} ORDER BY ALL") for name in with_budgets}
    assert len(table(path, "SELECT * FROM rows")) > len(table(alone, "SELECT * FROM rows"))


def test_every_entrant_is_a_point_and_every_budget_is_one_of_its_submissions_curve(path: Path) -> None:
    points = table(path, "SELECT * FROM budgets ORDER BY entrant, budget")
    mine = [point for point in points if point["entrant"] == "occlusion"]
    assert [(p["budget"], p["own"], p["submission"]) for p in mine] == [
        (10, False, "occlusion_at_10"),
        (20, False, "occlusion_at_20"),
        (OWN, True, "occlusion"),
        (80, False, "occlusion_at_80"),
    ]
    assert {p["parameter"] for p in mine} == {"masks"}
    assert [p["passes"] for p in mine] == [20, 30, 50, 90]
    assert [p["convergence"] for p in mine] == [0.3, 0.6, 0.9, 1.0]
    assert len(points) == len(SKILL) + len(BUDGETS)
    assert all(p["own"] and p["budget"] is None for p in points if p["entrant"] != "occlusion")
    ranks = {row["entrant"]: row["score"] for row in table(path, "SELECT * FROM ranks")}
    assert {p["entrant"]: p["score"] for p in points if p["own"]} == ranks


def test_the_headline_is_told_at_every_budget(path: Path) -> None:
    rows = table(path, "SELECT * FROM curve_results ORDER BY metric, budget")
    assert {row["entrant"] for row in rows} == {"occlusion"}
    assert [row["budget"] for row in rows[:4]] == [10, 20, OWN, 80]
    assert len({row["metric"] for row in rows}) == len(rows) / 4
    higher = [row["mean"] for row in rows if row["metric"] == "fid_cf@top30"]
    assert higher == sorted(higher)


def test_a_front_is_what_nothing_beats_at_no_more_cost() -> None:
    known = [(1.0, 0.2), (2.0, 0.1), (2.0, 0.5), (3.0, 0.5), (9.0, 0.6)]
    assert [point for point in known if not _beaten(point, known)] == [(1.0, 0.2), (2.0, 0.5), (9.0, 0.6)]
    assert not _beaten((1.0, 0.2), [(1.0, 0.2)])


def test_budgets_are_printed_below_the_ranking(path: Path) -> None:
    text = io.StringIO()
    board.print_ranking(path, Console(file=text, width=120))
    after = text.getvalue().partition("Budgets")[2]
    assert [line for line in after.splitlines() if "10 masks" in line or "80 masks" in line]
    assert "Spearman's correlation of a map with that at the largest budget" in " ".join(after.split())


def test_runs_of_other_budgets_alone_are_no_board(shelf: Path) -> None:
    alone = shelf / "alone"
    alone.mkdir()
    for run in (shelf / "runs").glob("*_at_*"):
        (alone / run.name).symlink_to(run)
    with pytest.raises(EarwitnessError, match="every run here is another budget of occlusion; run these themselves"):
        built(shelf, alone)
