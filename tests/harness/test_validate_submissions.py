from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeBox, make_submission, make_task, number

import earwitness.box
from earwitness.box import Answer, BoxError
from earwitness.errors import EarwitnessError, InvalidCardError
from earwitness.harness.validation import Options
from earwitness.harness.validation.submissions import micro_task, validate
from earwitness.submission import read_submission


@pytest.fixture
def report_of(tmp_path: Path, engine: Any, scoring: Any) -> Any:
    """The report of a submission to a fake task."""
    task = make_task(tmp_path / "fake_task")
    submission = make_submission(tmp_path / "mine")
    lines: list[str] = []
    return lambda: validate(submission, Options(), lines.append, engine, {"prompt": task})


def test_a_good_submission_has_no_findings(report_of: Any, box: Any) -> None:
    report = report_of()
    assert report.valid
    assert (report.kind, report.name, report.unchecked) == ("submission", "mine", ())
    assert len(report.checked) == 3
    assert all("2 items of fake_task" in line for line in report.checked)


def test_an_item_that_fails_is_a_finding_with_its_reason(report_of: Any, box: Any) -> None:
    box.behave = lambda item: "invalid" if item.id == "item-001" else None
    report = report_of()
    assert not report.valid
    assert report.findings == ("item-001: it gives no explanation of its track: TokenMap.weights must be finite",)
    assert report.unchecked == ("its explanations of 2 items of fake_task again, in another box and by two seeds",)


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


class Steady(FakeBox):
    """Weights that no seed moves."""

    def explain(self, items: Sequence[Any]) -> list[Answer]:
        answers = super().explain(items)
        for answer in answers:
            answer.arrays["weights"][:] = 0.5
        return answers


class Seeded(FakeBox):
    """Weights that the explainer seed decides."""

    def explain(self, items: Sequence[Any]) -> list[Answer]:
        answers = super().explain(items)
        for item, answer in zip(items, answers, strict=True):
            answer.arrays["weights"][0] = number(item.explainer_seed)
        return answers


@pytest.mark.parametrize(
    ("kind", "said", "finding", "note"),
    [
        (Seeded, "false", "item-000: another explainer seed gives another explanation; say stochastic = true", ""),
        (Seeded, "true", "", ""),
        (Steady, "false", "", ""),
        (Steady, "true", "", "2 explanations are the same under two seeds"),
        (Seeded, "", "", "stochastic = true, it seems"),
        (Steady, "", "", "stochastic = false, it seems"),
    ],
)
def test_whether_a_submission_hangs_on_the_explainer_seed_is_tried(
    tmp_path: Path, engine: Any, scoring: Any, monkeypatch: pytest.MonkeyPatch, kind: Any, said: str, finding: str,
    note: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(earwitness.box, "create", lambda *_: kind())
    task, folder = make_task(tmp_path / "fake_task"), make_submission(tmp_path / "mine").folder
    with (folder / "submission.toml").open("a") as card:
        card.write(f"stochastic = {said}\n" if said else "")
    report = validate(read_submission(folder), Options(), lambda _: None, engine, {"prompt": task})
    assert [line.startswith(finding) for line in report.findings] == ([True] if finding else [])
    told = [line for line in report.notes if "stochastic" in line]
    assert [note in line for line in told] == ([True] if note else [])


def test_a_wrong_card_is_an_error(tmp_path: Path) -> None:
    folder = make_submission(tmp_path / "mine").folder
    (folder / "submission.toml").write_text("id = 1")
    with pytest.raises(InvalidCardError):
        read_submission(folder)


def test_a_track_without_a_model_registered_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("earwitness.registry.task_ids", list)
    with pytest.raises(EarwitnessError, match="earwitness train micro_prompt"):
        micro_task("prompt")


def test_a_track_that_it_has_no_explainer_of_is_refused(tmp_path: Path, engine: Any) -> None:
    with pytest.raises(EarwitnessError, match="submission mine has no explainer of the track speech"):
        validate(make_submission(tmp_path / "mine"), Options(track="speech"), print, engine)
