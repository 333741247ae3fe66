"""The owner's file: who is withdrawn, superseded or corrected, and what is refused in it."""

from __future__ import annotations

import io
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from earwitness import board
from earwitness.board.notices import KnownNames, read_notices, refuse_unknown
from earwitness.cli import main
from earwitness.errors import EarwitnessError, InvalidCardError
from lives import PLAN, TODAY, built, entrant_run, entrants, notices_file, write_runs

WITHDRAWN = {"kind": "withdrawn", "entrant": "occlusion"}
SUPERSEDED = {"kind": "superseded", "entrant": "attention", "by": "occlusion"}
HASH = "0123456789abcdef"


def printed(path: Path) -> str:
    text = io.StringIO()
    board.print_ranking(path, Console(file=text, width=140))
    return " ".join(text.getvalue().split())


def test_who_is_withdrawn_or_superseded_leaves_the_ranks_and_stays_named(tmp_path: Path) -> None:
    write_runs(tmp_path / "runs")
    entrant_run(tmp_path / "runs", "attention", hash=HASH)
    whole = built(tmp_path)
    assert len(entrants(whole)) == 5
    one = {"kind": "withdrawn", "entrant": "attention", "submission_hash": HASH, "reason": "It read the truth."}
    corrected = {"kind": "corrected", "entrant": "uniform", "reason": "Its title was another's."}
    superseded = {"kind": "superseded", "entrant": "occlusion", "by": "attention"}
    path = built(tmp_path, notices_file(tmp_path, one, superseded, corrected))
    assert entrants(path) == {"attention", "uniform", "random"}
    text = printed(path)
    for line in (
        f"Notice of 2026-11-10: attention~{HASH[:6]} withdrawn: It read the truth.",
        "Notice of 2026-11-10: occlusion superseded by attention: A wrong mask.",
        "Notice of 2026-11-10: uniform corrected: Its title was another's.",
    ):
        assert line in text
    ranks = {record["entrant"]: record["rank"] for record in board.ranking_records(path)}
    assert ranks["attention"] == 1


def test_a_withdrawn_version_of_a_task_has_no_ranking(tmp_path: Path) -> None:
    write_runs(tmp_path / "runs")
    for version, kind in ((2, "withdrawn"), (1, "corrected")):
        task = {"kind": kind, "task": "planted", "task_version": version}
        file = notices_file(tmp_path, task)
        if version == 2:
            with pytest.raises(EarwitnessError, match="names a version that is not there; versions: 1"):
                built(tmp_path, file)
        else:
            assert entrants(built(tmp_path, file)) == set(PLAN.skill)
    with pytest.raises(EarwitnessError, match="the notices and the limit leave no run to rank"):
        built(tmp_path, notices_file(tmp_path, {"kind": "withdrawn", "task": "planted", "task_version": 1}))


def test_a_superseded_task_keeps_its_ranking(tmp_path: Path) -> None:
    write_runs(tmp_path / "runs", "occlusion", "random")
    task = {"kind": "superseded", "task": "planted", "by": "micro_prompt"}
    path = built(tmp_path, notices_file(tmp_path, task))
    assert entrants(path) == {"occlusion", "random"}
    assert "planted superseded by micro_prompt: A wrong mask." in printed(path)


@pytest.mark.parametrize(
    ("notice", "says"),
    [
        ({**WITHDRAWN, "because": "x"}, "unknown key 'notices.0.because'"),
        ({"kind": "withdrawn"}, "names neither an entrant nor a task; name one"),
        ({**WITHDRAWN, "kind": "deleted"}, "notices.0.kind"),
        ({**WITHDRAWN, "by": "attention"}, "`by` names what supersedes"),
        ({**SUPERSEDED, "by": ""}, "notices.0.by"),
        ({**SUPERSEDED, "by": "attention"}, "attention cannot supersede itself; name the version"),
        ({**WITHDRAWN, "entrant": "", "submission_hash": HASH}, "notices.0.entrant"),
        ({"kind": "withdrawn", "task": "planted", "submission_hash": HASH}, "name the entrant, too"),
        ({**WITHDRAWN, "task_version": 1}, "task_version is a version of a task; name the task, too"),
        ({**WITHDRAWN, "date": "10 November"}, "'10 November' is no day; write it as YYYY-MM-DD"),
        ({**WITHDRAWN, "date": "2026-12-01"}, "the notice of occlusion is of 2026-12-01, which lies ahead"),
        ({**WITHDRAWN, "reason": " "}, "notices.0.reason: holds nothing that can be seen"),
    ],
)
def test_a_notice_that_cannot_be_is_one_line(tmp_path: Path, notice: dict[str, Any], says: str) -> None:
    path = notices_file(tmp_path, notice)
    with pytest.raises(InvalidCardError) as caught:
        read_notices(path, TODAY)
    assert says in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_notices_that_contradict_each_other_are_one_line(tmp_path: Path) -> None:
    twice = notices_file(tmp_path, WITHDRAWN, {**SUPERSEDED, "entrant": "occlusion", "by": "attention"})
    with pytest.raises(InvalidCardError, match="occlusion is withdrawn or superseded twice; keep one"):
        read_notices(twice, TODAY)
    circle = notices_file(tmp_path, SUPERSEDED, {**SUPERSEDED, "entrant": "occlusion", "by": "attention"})
    with pytest.raises(InvalidCardError, match="attention is superseded in a circle"):
        read_notices(circle, TODAY)
    corrected = {**WITHDRAWN, "kind": "corrected"}
    assert len(read_notices(notices_file(tmp_path, corrected, corrected, WITHDRAWN), TODAY).notices) == 3


@pytest.mark.parametrize(
    ("notice", "says"),
    [
        (
            {**WITHDRAWN, "entrant": "oclusion"},
            "names 'oclusion', and no entrant is called so; did you mean 'occlusion'?",
        ),
        ({**WITHDRAWN, "task": "plantd"}, "names 'plantd', and no task is called so; did you mean 'planted'?"),
        (
            {**SUPERSEDED, "by": "planted"},
            "names 'planted', and no entrant is called so; entrants: attention, occlusion",
        ),
        ({**WITHDRAWN, "submission_hash": "f" * 16}, f"names a version that is not there; versions: {HASH}"),
        ({"kind": "corrected", "task": "planted", "task_version": 3}, "a version that is not there; versions: 1, 2"),
    ],
)
def test_a_notice_of_what_is_not_there_is_one_line(tmp_path: Path, notice: dict[str, Any], says: str) -> None:
    known = KnownNames({"occlusion": {HASH}, "attention": set()}, {"planted": {1, 2}})
    with pytest.raises(EarwitnessError) as caught:
        refuse_unknown(read_notices(notices_file(tmp_path, notice), TODAY), known)
    assert says in str(caught.value)
    assert caught.value.exit_code == 2


def test_the_file_that_the_page_for_owners_shows_is_one(tmp_path: Path) -> None:
    page = (Path(__file__).parents[1] / "docs" / "hosting.md").read_text(encoding="utf-8")
    (tmp_path / "notices.toml").write_text(page.partition("```toml\n")[2].partition("```")[0])
    found = read_notices(tmp_path / "notices.toml", TODAY)
    assert found.tries_a_month == 3
    assert [notice.kind for notice in found.notices] == ["withdrawn", "superseded", "corrected"]
    assert [notice.leaves for notice in found.notices] == [True, True, False]


def test_a_board_with_notices_is_not_built_without_them(tmp_path: Path) -> None:
    write_runs(tmp_path / "runs", "occlusion", "attention", "random")
    file = notices_file(tmp_path, WITHDRAWN)
    built(tmp_path, file)
    with pytest.raises(EarwitnessError, match=r"has notices \(withdrawn on 2026-11-10, say\).*name their file"):
        built(tmp_path)
    # Its runs may go: the board knows who it was.
    for run in (tmp_path / "runs").glob("*__occlusion__*"):
        run.rename(tmp_path / "elsewhere")
    assert "occlusion withdrawn" in printed(built(tmp_path, file, on=date(2026, 12, 1)))
    assert entrants(built(tmp_path, notices_file(tmp_path))) == {"attention", "random"}


def test_the_command_line_takes_the_file_and_names_what_is_wrong_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_runs(tmp_path / "runs", "occlusion", "random")
    for notice, code, words in (
        ({**WITHDRAWN, "date": "2026-11-30", "entrant": "nobody"}, 2, "names 'nobody', and no entrant is called so"),
        ({**WITHDRAWN, "date": "2026-11-30"}, 0, "occlusion withdrawn: A wrong mask."),
    ):
        notices_file(tmp_path, notice)
        monkeypatch.setattr("sys.argv", ["earwitness", "board", "--notices", "notices.toml"])
        with pytest.raises(SystemExit) as caught:
            main()
        said = capsys.readouterr()
        assert int(caught.value.code or 0) == code
        assert words in " ".join((said.err if code else said.out).split())
        assert not code or said.err.count("\n") == 1
