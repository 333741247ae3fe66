from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import make_task
from safetensors.numpy import save_file

from earwitness.handed_in import fresh_mark
from earwitness.harness.validation import Options
from earwitness.harness.validation.steps import Report
from earwitness.harness.validation.submissions import validate
from handing_in import file_of, hand_in, set_of

ITEMS = ("item-000", "item-001", "item-002")


@pytest.fixture
def report_of(tmp_path: Path, engine: Any, scoring: Any) -> Any:
    """The report of a submission with these sets, of a fake task's hash where they name none."""
    task = make_task(tmp_path / "fake_task")

    def report(*sets: dict[str, Any], spoil: Any = None, **told: Any) -> Report:
        own = [{**each, "task_hash": task.hash} for each in sets]
        submission = hand_in(tmp_path / "mine", *own, **told)
        if spoil is not None:
            spoil(submission.folder / "explanations")
        return validate(submission, Options(), lambda _: None, engine, {"prompt": task})

    return report


def test_good_explanations_have_no_findings_and_a_hash(report_of: Any) -> None:
    report = report_of(set_of(ITEMS))
    assert report.valid
    assert (report.kind, report.name) == ("submission", "mine")
    assert report.checked == ("its manifest.json, and the files that it names", "set 1: 3 items of fake_task")
    (note,) = report.notes
    assert "its hash is " in note


def test_each_array_that_is_none_is_a_finding(report_of: Any) -> None:
    def spoil(place: Path) -> None:
        save_file({"weights": np.full(4, np.nan, np.float32)}, place / file_of(ITEMS[1]))
        (place / file_of(ITEMS[2])).write_bytes(b"PK")

    report = report_of(set_of(ITEMS), spoil=spoil)
    assert [line.partition(": ")[2] for line in report.findings] == [
        "some/item-001.safetensors: TokenMap.weights must be finite; found 4 of 4 NaN or infinite; make it again",
        "some/item-002.safetensors: it is no safetensors file: its header is cut off or too long; make it again",
    ]


@pytest.mark.parametrize(
    ("items", "update", "says"),
    [
        (ITEMS[:2], {"count": 3}, "item 'item-002' of the first 3 of fake_task is missing"),
        ((*ITEMS, "item-777"), {}, "item 'item-777' is none of the 4 that are explained"),
        (ITEMS, {"task": "unknown_task"}, "no task is called 'unknown_task'"),
    ],
)
def test_a_set_of_other_items_is_a_finding(report_of: Any, items: Any, update: dict[str, Any], says: str) -> None:
    report = report_of(set_of(items, **update))
    assert says in report.findings[0]
    assert len(report.findings) == 1


def test_a_missing_file_is_a_finding_and_sets_are_not_looked_at(report_of: Any) -> None:
    report = report_of(set_of(ITEMS), spoil=lambda place: (place / file_of(ITEMS[0])).unlink())
    assert "no such file; add it" in report.findings[0]
    assert report.unchecked == ("set 1: 3 items of fake_task",)


def test_a_manifest_that_is_none_is_a_finding(report_of: Any) -> None:
    report = report_of(set_of(ITEMS), spoil=lambda place: (place / "manifest.json").write_text("{"))
    assert "manifest.json: no JSON that can be read" in report.findings[0]


def test_a_task_of_another_track_is_a_finding(report_of: Any) -> None:
    report = report_of(set_of(ITEMS), track="speech")
    assert "fake_task is of the track prompt, which is none of the card's `explanations`" in report.findings[0]


def test_items_that_failed_by_their_own_word_are_a_note(report_of: Any) -> None:
    listed = [*({"id": item, "file": file_of(item)} for item in ITEMS[:2]), {"id": ITEMS[2], "failed": "no answer"}]
    report = report_of(set_of(ITEMS, items=listed))
    assert report.valid
    assert report.notes[-1] == "fake_task: 1 items failed, as the manifest says, and rank at the floor"


def test_of_fresh_items_the_files_are_looked_at(report_of: Any) -> None:
    fresh = set_of(("fresh-00000", "fresh-00001"), fresh=fresh_mark(7))
    assert report_of(fresh).valid
    bad = report_of(
        fresh, spoil=lambda p: save_file({"weights": np.full(4, 2, np.float32)}, p / file_of("fresh-00001"))
    )
    assert "item fresh-00001: some/fresh-00001.safetensors: TokenMap.weights must lie in [0, 1]" in bad.findings[0]
