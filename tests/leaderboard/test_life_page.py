"""Notices, changes, tries, anonymity and citations on the page."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from lives import built, entrant_run, notices_file, write_runs

HASH = "b" * 16
REASON = "It read [the truth](https://example.org)."


@pytest.fixture(scope="module")
def board_with_a_life(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two builds: a version of attention is withdrawn, occlusion enters, anonymous until a day."""
    folder = tmp_path_factory.mktemp("life")
    write_runs(folder / "runs", "attention", "random", "uniform")
    entrant_run(folder / "runs", "attention", hash=HASH)
    built(folder, notices_file(folder, tries_a_month=3))
    entrant_run(
        folder / "runs", "occlusion", kind="entrant", authors=["Zenobia Quux"], anonymous_until="2027-03-01",
        licence="CC-BY-4.0",
    )  # fmt: skip
    notice = {"kind": "withdrawn", "entrant": "attention", "submission_hash": HASH, "reason": REASON}
    built(folder, notices_file(folder, notice, tries_a_month=3), on=date(2026, 12, 1))
    return folder / "board"


@pytest.fixture
def opened(board_with_a_life: Path, page: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("EARWITNESS_BOARD", str(board_with_a_life))
    monkeypatch.syspath_prepend(str(page.parent))
    app = AppTest.from_file(str(page), default_timeout=120).run()
    assert not app.exception, app.exception
    return app


def test_the_ranking_and_the_task_show_who_was_withdrawn_and_why(opened: AppTest) -> None:
    opened.switch_page("screens/ranking.py").run()
    said = "2026-11-10: attention~bbbbbb withdrawn: It read \\[the truth\\](https://example.org)."
    assert [warning.value for warning in opened.warning] == [said]
    opened.switch_page("screens/task.py").run()
    assert [warning.value for warning in opened.warning] == [said]


def test_the_changes_page_lists_notices_changes_and_tries(opened: AppTest) -> None:
    opened.switch_page("screens/history.py").run()
    assert not opened.exception, opened.exception
    notices, changes, tries = (frame.value for frame in opened.dataframe)
    assert notices[["What", "Submission", "Version", "Reason"]].values.tolist() == [
        ["withdrawn", "attention", HASH, REASON]
    ]
    found = dict(zip(changes["Submission"], changes["What"], strict=True))
    assert (found["attention~bbbbbb"], found["occlusion"]) == ("withdrawn", "entered")
    moved = changes[changes["What"] == "moved"]
    assert moved["After whose rows, or why"].str.contains("occlusion").all()
    assert tries[["Submission", "Try in the month", "Limit"]].values.tolist() == [["occlusion", 1, 3]]


def test_an_entrants_page_has_licence_tries_and_citation_and_no_authors_yet(opened: AppTest) -> None:
    opened.switch_page("screens/submission.py").run()
    opened.selectbox(key="entrant").set_value("occlusion").run()
    assert not opened.exception, opened.exception
    facts = opened.table[0].value.iloc[:, 0].to_dict()
    assert facts["Authors"] == "anonymous until 2027-03-01"
    assert facts["Licence"] == "CC-BY-4.0"
    assert facts["Tries"] == "try 1 of 3 in 2026-11, 1 on this task in all"
    cited, command = (code.value for code in opened.code)
    assert "--submission occlusion" in command
    assert cited.startswith("@misc{earwitness:occlusion:")
    assert "year = {2026}" in cited
    assert "Quux" not in cited
    opened.selectbox(key="entrant").set_value("uniform").run()
    facts = opened.table[0].value.iloc[:, 0].to_dict()
    assert facts["Authors"] == "A. Author"
    assert "Tries" not in facts
    assert "{A. Author}" in opened.code[0].value
