"""`earwitness board`, `leaderboard` and `compare` on planted runs."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from earwitness.cli import main
from synthetic import Plan, write_run

PLAN = Plan(skill={"occlusion": 0.8, "attention": 0.3, "random": 0.0}, items=7)
Verb = Callable[..., tuple[int, str, str]]


@pytest.fixture
def earwitness(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Verb:
    """Exit code, stdout and stderr of a command in a folder with runs."""
    monkeypatch.chdir(tmp_path)
    for submission in PLAN.skill:
        write_run(tmp_path / "runs", PLAN, submission)

    def command(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["earwitness", *words])
        with pytest.raises(SystemExit) as caught:
            main()
        captured = capsys.readouterr()
        return int(caught.value.code or 0), captured.out, captured.err

    return command


def test_the_board_and_the_page_are_where_they_are_asked_for(earwitness: Verb, tmp_path: Path) -> None:
    write_run(tmp_path / "more", replace(PLAN, skill={"uniform": 0.0}), "uniform")
    code, out, err = earwitness("board", "--runs", "runs,more", "--out", "elsewhere", "--json")
    assert (code, err) == (0, "")
    assert {record["entrant"] for record in json.loads(out)} == {*PLAN.skill, "uniform"}
    assert not Path("board").exists()
    code, out, _ = earwitness("leaderboard", "--board", "elsewhere", "--export", "page")
    assert (code, out) == (0, "page/index.html\n")


def test_a_folder_of_runs_that_is_not_there_is_named(earwitness: Verb) -> None:
    assert earwitness("board", "--runs", "runs,rnus") == (2, "", "earwitness: rnus: no such folder of runs\n")


def test_a_run_that_cannot_be_read_is_named_and_the_rest_is_printed(earwitness: Verb, tmp_path: Path) -> None:
    (folder,) = (tmp_path / "runs").glob("*__attention__*")
    (folder / "run.json").unlink()
    code, out, err = earwitness("board")
    assert code == 4
    assert "occlusion" in out
    assert err.startswith(f"earwitness: left out of the board: runs/{folder.name} is no run: it has no run.json")
    assert err.count("\n") == 1


def test_submissions_are_compared_and_the_family_is_told(earwitness: Verb) -> None:
    code, out, _ = earwitness("compare", "occlusion", "attention")
    assert code == 0
    for words in (
        "planted: 7 items in 7 clusters",
        "A occlusion",
        "adjusted (max-T) over the 6",
    ):
        assert words in out
    code, out, _ = earwitness("compare", "occlusion", "attention", "--json")
    (pair,) = json.loads(out)
    assert (pair["task"], pair["items"], pair["family"]) == ("planted", 7, 6)
    told = [one for one in pair["differences"] if one["direction"] != "none"]
    assert {one["verdict"] for one in told} <= {"A is better", "not told apart", "too few items", "equivalent"}
    assert all((one["verdict"] == "A is better") == (one["p"] < 0.05) for one in told)


def test_what_cannot_be_compared_is_one_line(earwitness: Verb, tmp_path: Path) -> None:
    write_run(tmp_path / "runs", replace(PLAN, task="other", skill={"uniform": 0.0}), "uniform")
    code, out, err = earwitness("compare", "occlusion", "uniform")
    assert (code, out) == (3, "")
    assert err == "earwitness: occlusion and uniform differ in task: planted and other\n"
    code, _, err = earwitness("compare", "occlusion", "nobody")
    assert (code, err.count("\n")) == (2, 1)


def test_a_ranking_survives_an_ascii_terminal(earwitness: Verb, tmp_path: Path) -> None:
    for words in (["board"], ["compare", "occlusion", "attention"]):
        command = [sys.executable, "-X", "utf8=0", "-m", "earwitness.cli", *words]
        found = subprocess.run(
            command, capture_output=True, cwd=tmp_path, env={"PYTHONIOENCODING": "ascii", **_paths()}
        )
        assert found.returncode == 0, found.stderr
        assert found.stdout.isascii()


def _paths() -> dict[str, str]:
    return {"PYTHONPATH": ":".join(sys.path), "PATH": "/usr/bin:/bin"}


def test_a_run_that_has_no_rows_yet_is_said_and_costs_no_exit_code(earwitness: Verb, tmp_path: Path) -> None:
    begun = tmp_path / "runs" / "begun"
    begun.mkdir()
    (begun / "run.json").write_text('{"state": "running"}')
    code, _, err = earwitness("board")
    assert (code, err) == (
        0,
        "earwitness: left out: runs/begun has no rows (running); run the same command again to finish it, or delete "
        "the folder\n",
    )


@pytest.mark.parametrize("pointer", ["[]", "[" * 100_000, '{"board": "' + "x" * 5000 + '"}', '{"board": "a\\u0000"}'])
def test_a_pointer_that_is_none_is_no_board(earwitness: Verb, pointer: str) -> None:
    Path("board").mkdir()
    Path("board", "current.json").write_text(pointer)
    for words in (["leaderboard"], ["leaderboard", "--export", "page"]):
        code, _, err = earwitness(*words)
        assert (code, err) == (2, "earwitness: no board in board; build one with `earwitness board`\n")


def test_a_pointer_leads_to_no_file_outside_the_board(earwitness: Verb) -> None:
    assert earwitness("board")[0] == 0
    (real,) = Path("board").glob("*.duckdb")
    Path("other").mkdir()
    Path("other", "current.json").write_text(json.dumps({"board": f"../board/{real.name}"}))
    assert earwitness("leaderboard", "--board", "other")[0] == 2


def test_a_database_that_is_none_is_refused_before_the_page_is_served(earwitness: Verb) -> None:
    Path("board.duckdb").write_text("no database")
    code, out, err = earwitness("leaderboard", "--board", "board.duckdb")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "board.duckdb is no board" in err


def test_a_port_that_is_taken_is_one_line(earwitness: Verb) -> None:
    assert earwitness("board")[0] == 0
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, out, err = earwitness("leaderboard", "--port", str(port))
    assert (code, out) == (2, "")
    assert err == f"earwitness: port {port}: Address already in use; choose another one with --port\n"


def test_a_page_that_fails_is_no_answer(earwitness: Verb, monkeypatch: pytest.MonkeyPatch) -> None:
    assert earwitness("board")[0] == 0
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1))
    code, _, err = earwitness("leaderboard", "--port", "8597")
    assert (code, err) == (70, "earwitness: the page ended with exit code 1; what it printed says why\n")
