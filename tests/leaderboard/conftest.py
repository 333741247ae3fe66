from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from earwitness import board, registry
from earwitness.stats.intervals import Resampling
from earwitness.task import read_task
from synthetic import SKILL, Plan, look_at, write_originals, write_run, write_task


@pytest.fixture(scope="session")
def planted_board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a board of two tasks' variants, with sounds, changes, curves and a failure."""
    folder = tmp_path_factory.mktemp("board")
    plan = Plan(
        skill={**SKILL, "occlusion": 0.55}, items=12, masks=("top10", "top30", "soft"), changes=True, sounds=True,
        dull=("kl_f@top30",), failing={"attention": (3,)},
    )  # fmt: skip
    task = write_task(folder / "registry", plan)
    plan = replace(plan, task_hash=read_task(task).hash)
    home = registry.home
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "home", lambda kind: folder / "registry" if kind == "tasks" else home(kind))
        for variant in (plan, replace(plan, task_hash=f"{plan.task_hash}-fresh7", sounds=False)):
            for submission in variant.skill:
                run = write_run(folder / "runs", variant, submission)
                if submission == "uniform":
                    look_at(run, variant, submission, 1.0)
            write_originals(folder / "runs", variant)
        board.build(folder / "runs", folder / "board", Resampling(draws=200))
    return folder / "board"


@pytest.fixture(scope="session")
def page() -> Path:
    """The page's script."""
    return Path(__file__).parents[2] / "leaderboard" / "app.py"


@pytest.fixture(autouse=True)
def same_main(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page runs as another __main__, from which processes of later tests could not start."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
