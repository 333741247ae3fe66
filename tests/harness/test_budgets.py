from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import FakeBox, make_submission, make_task

import earwitness.box
from earwitness.box import Answer, Brief
from earwitness.errors import EarwitnessError
from earwitness.harness import recipe
from earwitness.harness.budgets import at_budgets, settle
from earwitness.harness.recipe import Arguments, Run
from earwitness.harness.run import execute
from earwitness.harness.session import Silent
from earwitness.harness.verify import verify
from earwitness.results import rows
from earwitness.results.curves import CONVERGENCE, RecordedBudget, budget_of, read_convergence
from earwitness.submission import read_submission

CURVE = '\n[parameters]\nmasks = 40\n\n[curve]\nparameter = "masks"\nvalues = [5, 10, 40, 160]\n'


class Settling(FakeBox):
    """Maps that come nearer to one as the budget grows; the order of tokens is its own at the largest."""

    def __init__(self, brief: Brief) -> None:
        super().__init__()
        self.budget = brief.budget or 40

    def explain(self, items: Sequence[Any]) -> list[Answer]:
        answers = super().explain(items)
        for answer in answers:
            count = len(answer.arrays["weights"])
            noise = np.random.default_rng(self.budget).random(count) if self.budget < 40 else 0
            answer.arrays["weights"] = (np.arange(count) / count + noise).clip(0, 1)
        return answers


@pytest.fixture
def run(tmp_path: Path, scoring: Any, monkeypatch: pytest.MonkeyPatch) -> Run:
    task = make_task(tmp_path / "tasks" / "fake_task")
    folder = make_submission(tmp_path / "submissions" / "mine").folder
    with (folder / "submission.toml").open("a", encoding="utf-8") as card:
        card.write(CURVE)
    monkeypatch.setattr(earwitness.box, "create", lambda isolation, brief, *_: Settling(brief))
    return Run(task, read_submission(folder), Arguments(items=5, device="cpu"), tmp_path / "runs")


def test_a_submission_runs_at_the_other_budgets_of_its_curve_under_ids_of_their_own(run: Run, engine: Any) -> None:
    found = at_budgets([run])
    assert [each.submission.id for each in found] == ["mine", "mine_at_5", "mine_at_10", "mine_at_160"]
    outcomes = execute(found, engine)
    assert all(outcome.done for outcome in outcomes)
    assert len({each.submission_hash for each in found}) == 4
    small = found[1]
    stored = recipe.read(small.folder)
    assert budget_of(stored) == RecordedBudget(of="mine", of_hash=run.submission_hash, value=5)
    assert budget_of(recipe.read(run.folder)) is None
    assert set(rows.read_run(small.folder)["submission"].to_pylist()) == {"mine_at_5"}


def test_a_budgets_run_is_opened_again_and_verified(run: Run, engine: Any) -> None:
    small = at_budgets([run])[1]
    execute([small], engine)
    again = recipe.reopen(small.folder)
    assert (again.name, again.submission.budget) == (small.name, small.submission.budget)
    assert verify(small.folder, engine).verified


def test_how_explanations_settle_is_stored_beside_the_submissions_own_run(run: Run, engine: Any) -> None:
    outcomes = execute(at_budgets([run]), engine)
    settle(outcomes, engine, Silent())
    found = read_convergence(run.folder)
    assert found is not None
    assert (found.submission, found.parameter, found.largest) == ("mine", "masks", 160)
    assert [each.value for each in found.budgets] == [5, 10, 40, 160]
    assert [each.items for each in found.budgets] == [5] * 4
    assert [each.convergence for each in found.budgets[2:]] == [1.0, 1.0]
    assert all(each.convergence is not None and each.convergence < 1 for each in found.budgets[:2])
    assert {each.submission_hash for each in found.budgets} == {each.submission_hash for each in at_budgets([run])}


def test_a_curve_whose_budgets_are_not_all_done_waits(run: Run, engine: Any) -> None:
    outcomes = execute(at_budgets([run]), engine)
    outcomes[-1].done = False
    settle(outcomes, engine, Silent())
    assert not (run.folder / CONVERGENCE).exists()


def test_only_the_first_explainer_seed_counts(run: Run, engine: Any) -> None:
    both = replace(run, arguments=replace(run.arguments, explainer_seeds=(0, 1)))
    settle(execute(at_budgets([both]), engine), engine, Silent())
    found = read_convergence(both.folder)
    assert found is not None
    assert [each.items for each in found.budgets] == [5] * 4


def test_budgets_of_submissions_without_a_curve_are_one_line(make_run: Any) -> None:
    with pytest.raises(EarwitnessError, match=r"no card of mine has a table \[curve\] with other budgets"):
        at_budgets([make_run()])


def test_a_convergence_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    assert read_convergence(tmp_path) is None
    (tmp_path / CONVERGENCE).write_text("[]")
    with pytest.raises(EarwitnessError, match="is no convergence of a submission"):
        read_convergence(tmp_path)
