from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeBox, make_submission, make_task, number

import earwitness.box
from earwitness.box import Answer, BoxError
from earwitness.errors import EarwitnessError, InvalidCardError
from earwitness.harness.validate import micro_task, validate


@pytest.fixture
def report_of(tmp_path: Path, engine: Any, scoring: Any) -> Any:
    """The report of a submission to a fake task."""
    task = make_task(tmp_path / "fake_task")
    folder = make_submission(tmp_path / "mine").folder
    return lambda: validate(folder, engine, "cpu", task)


def test_a_good_submission_has_no_findings(report_of: Any, box: Any) -> None:
    report = report_of()
    assert report.valid
    assert (report.submission, report.task, report.items) == ("mine", "fake_task", 2)


def test_an_item_that_fails_is_a_finding_with_its_reason(report_of: Any, box: Any) -> None:
    box.behave = lambda item: "invalid" if item.id == "item-001" else None
    report = report_of()
    assert not report.valid
    assert report.findings == ("item-001: invalid: TokenMap.weights must be finite",)


def test_a_submission_that_does_not_start_is_a_finding(report_of: Any, box: Any) -> None:
    def refuse() -> None:
        raise BoxError("cannot start: SyntaxError: invalid syntax")

    box.open = refuse
    assert report_of().findings == ("cannot start: SyntaxError: invalid syntax",)


def test_an_explanation_that_differs_the_second_time_is_a_finding(
    report_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Fickle(FakeBox):
        def explain(self, items: Sequence[Any]) -> list[Answer]:
            answers = super().explain(items)
            answers[1].arrays["weights"][0] = number(len(boxes))
            return answers

    boxes: list[Fickle] = []

    def create(*_: Any) -> Fickle:
        boxes.append(Fickle())
        return boxes[-1]

    monkeypatch.setattr(earwitness.box, "create", create)
    assert report_of().findings == (
        "item-001: a second explanation differs; draw randomness from item.explainer_seed alone",
    )


def test_a_wrong_card_is_an_error(tmp_path: Path, engine: Any) -> None:
    folder = make_submission(tmp_path / "mine").folder
    (folder / "submission.toml").write_text("id = 1")
    with pytest.raises(InvalidCardError):
        validate(folder, engine)


def test_a_track_without_a_model_registered_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("earwitness.registry.task_ids", list)
    with pytest.raises(EarwitnessError, match="earwitness train micro_prompt"):
        micro_task("prompt")
