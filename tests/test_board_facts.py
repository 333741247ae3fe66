"""What the board says of tasks that rows are of."""

from dataclasses import replace
from pathlib import Path

import pytest

from earwitness import board, registry
from earwitness.board.facts import task_facts
from earwitness.stats.intervals import Resampling
from earwitness.task import read_task
from synthetic import Plan, write_run, write_task


def test_rows_of_a_former_version_say_which_one_superseded_it() -> None:
    task = registry.task("micro_prompt")
    card = {**task.card.model_dump(mode="json"), "version": task.card.version - 1}
    facts = task_facts("micro_prompt", "0" * 16, [{"task": {"id": "micro_prompt", "hash": "0" * 16, "card": card}}])
    assert facts.newer == task.card.version
    assert facts.card is not None
    assert facts.card.superseded_by == "micro_prompt"
    assert not facts.registered


def test_a_registered_task_whose_card_names_a_successor_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = Plan(skill={"occlusion": 0.8, "random": 0.0}, items=7)
    folder = write_task(tmp_path / "registry", plan)
    card = (folder / "task.toml").read_text()
    (folder / "task.toml").write_text(card.replace("title =", 'superseded_by = "micro_prompt"\ntitle =', 1))
    home = registry.home
    monkeypatch.setattr(registry, "home", lambda kind: tmp_path / "registry" if kind == "tasks" else home(kind))
    for submission in plan.skill:
        write_run(tmp_path / "runs", replace(plan, task_hash=read_task(folder).hash), submission)
    path = board.build(tmp_path / "runs", tmp_path / "board", Resampling(draws=50))
    connection = board.connect(path)
    (task,) = board.records(connection, "SELECT note FROM tasks")
    connection.close()
    assert "Superseded by micro_prompt, as the task's card says." in task["note"]
