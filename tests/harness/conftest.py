from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeBox, FakeScoring, make_submission, make_task

import earwitness.box
from earwitness.harness import score
from earwitness.harness.recipe import Arguments, Run
from in_process import InlineEngine


@pytest.fixture
def engine() -> InlineEngine:
    return InlineEngine()


@pytest.fixture
def box(monkeypatch: pytest.MonkeyPatch) -> FakeBox:
    """The box that every run of the test gets."""
    fake = FakeBox()
    monkeypatch.setattr(earwitness.box, "create", lambda *_: fake)
    return fake


@pytest.fixture
def scoring(monkeypatch: pytest.MonkeyPatch) -> type[FakeScoring]:
    """The class of every scoring of the test."""

    class Scoring(FakeScoring):
        pass

    monkeypatch.setattr(score, "load", Scoring)
    return Scoring


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Run]:
    """Runs of a fake task by submissions of any name."""

    def make(name: str = "mine", **arguments: Any) -> Run:
        task = make_task(tmp_path / "tasks" / "fake_task")
        submission = make_submission(tmp_path / "submissions" / name)
        return Run(task, submission, Arguments(**{"device": "cpu", **arguments}), tmp_path / "runs")

    return make
