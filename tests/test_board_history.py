"""What a build changed since the last one, and by whose rows."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from earwitness.board import history
from earwitness.board.history import FormerBoard, RankedTask, Version, gone_on
from lives import TODAY, asked, built, entrant_run, notices_file, write_runs

KEY = ("planted", "aaaa", False)
Standing = dict[RankedTask, dict[Version, dict[str, Any]]]


def stood(**places: tuple[int | None, int, str]) -> Standing:
    """Place, tie group and fingerprint of the only version of each submission."""
    return {
        KEY: {
            (name, "0" * 16): {
                "task": "planted", "task_key": "planted", "submission": name, "submission_hash": "0" * 16,
                "entrant": name, "rank": rank, "rank_group": group, "fingerprints": [fingerprint],
            }
            for name, (rank, group, fingerprint) in places.items()
        }
    }  # fmt: skip


def said(before: Standing, after: Standing, notices: tuple[dict[str, Any], ...] = ()) -> list[tuple[str, ...]]:
    events = gone_on(FormerBoard(standing=before), after, notices, TODAY)
    return [tuple(event[name] for name in ("entrant", "event", "before", "after", "because")) for event in events]


def test_who_comes_moves_others_and_is_named_as_the_reason() -> None:
    before = stood(a=(1, 1, "x"), b=(2, 2, "y"))
    after = stood(a=(2, 2, "x"), b=(3, 3, "y"), c=(1, 1, "z"))
    assert said(before, after) == [
        ("c", "entered", "", "place 1 in group 1", ""),
        ("a", "moved", "place 1 in group 1", "place 2 in group 2", "rows of c"),
        ("b", "moved", "place 2 in group 2", "place 3 in group 3", "rows of c"),
    ]


def test_a_group_that_falls_apart_is_a_move_though_the_place_stays() -> None:
    before, after = stood(a=(1, 1, "x"), b=(1, 1, "y")), stood(a=(1, 1, "x2"), b=(1, 2, "y"))
    assert said(before, after) == [
        ("a", "other rows", "", "", ""),
        ("b", "moved", "place 1 in group 1", "place 1 in group 2", "rows of a"),
    ]


def test_who_leaves_is_named_with_the_notice_where_there_is_one() -> None:
    before, after = stood(a=(1, 1, "x"), b=(2, 2, "y")), stood(b=(1, 1, "y"))
    moved = ("b", "moved", "place 2 in group 2", "place 1 in group 1", "rows of a")
    left = ("a", "left", "place 1 in group 1", "", "none of its rows are ranked here now")
    assert said(before, after) == [left, moved]
    notice = {
        "kind": "withdrawn", "entrant": "a", "submission_hash": "", "task": "", "task_version": None,
        "successor": "", "date": "2026-11-10", "reason": "It read the truth.",
    }  # fmt: skip
    assert said(before, after, (notice,)) == [("a", "withdrawn", "", "", "It read the truth."), moved]


def test_a_move_without_rows_is_by_the_task() -> None:
    after = stood(a=(None, 1, "x"))
    assert said(stood(a=(1, 1, "x")), after) == [
        ("a", "moved", "place 1 in group 1", "no rank", "what the task says of its metrics")
    ]


def test_nothing_changed_and_a_first_board_leave_the_history_as_it_was() -> None:
    assert said(stood(a=(1, 1, "x")), stood(a=(1, 1, "x"))) == []
    assert gone_on(FormerBoard(), stood(a=(1, 1, "x")), (), TODAY) == []


def test_a_task_that_comes_or_goes_is_one_line() -> None:
    one, other = stood(a=(1, 1, "x")), {("other", "bbbb", False): stood(a=(1, 1, "x"))[KEY]}
    assert [event[:2] for event in said(one, {**one, **other})] == [("", "task entered")]
    assert [event[:2] for event in said({**one, **other}, one)] == [("", "task left")]


def test_a_notice_that_is_taken_back_is_said() -> None:
    notice = {
        "kind": "corrected", "entrant": "a", "submission_hash": "0" * 16, "task": "planted", "task_version": 2,
        "successor": "", "date": "2026-11-10", "reason": "x",
    }  # fmt: skip
    former = FormerBoard(standing=stood(a=(1, 1, "x")), notices=[notice])
    (event,) = gone_on(former, stood(a=(1, 1, "x")), (), TODAY)
    assert (event["task_key"], event["entrant"]) == ("planted 2", "a~000000")
    assert event["event"] == "no longer corrected"


def test_builds_of_a_board_keep_their_history_and_the_same_build_is_the_same_file(tmp_path: Path) -> None:
    write_runs(tmp_path / "runs", "attention", "random")
    first = built(tmp_path)
    assert asked(first, "SELECT * FROM history") == []
    assert built(tmp_path, on=date(2026, 12, 1)) == first
    entrant_run(tmp_path / "runs", "occlusion")
    second = built(tmp_path, on=date(2026, 12, 2))
    events = asked(second, "SELECT * FROM history ORDER BY position")
    assert {(event["build"], event["date"]) for event in events} == {(1, "2026-12-02")}
    assert (events[0]["entrant"], events[0]["event"]) == ("occlusion", "entered")
    assert {(event["event"], event["because"]) for event in events[1:]} == {("moved", "rows of occlusion")}
    assert built(tmp_path, on=date(2026, 12, 3)) == second
    entrant_run(tmp_path / "runs", "attention", hash="b" * 16)
    notice = {"kind": "withdrawn", "entrant": "occlusion", "reason": "A wrong mask."}
    third = asked(
        built(tmp_path, notices_file(tmp_path, notice), on=date(2026, 12, 4)), "SELECT * FROM history WHERE build = 2"
    )
    assert {("occlusion", "withdrawn"), ("attention~bbbbbb", "new version")} <= {
        (event["entrant"], event["event"]) for event in third
    }


def test_a_board_of_another_version_is_said_and_built_anew(tmp_path: Path) -> None:
    write_runs(tmp_path / "runs", "attention", "random")
    path = built(tmp_path)
    connection = duckdb.connect(str(path))
    connection.execute("DROP TABLE history")
    connection.close()
    lines: list[str] = []
    assert history.former_board(tmp_path / "board", lines.append) == FormerBoard()
    assert lines == [
        f"the board in {tmp_path / 'board'} is of another version of earwitness, and its history is not gone on with"
    ]
    assert history.former_board(tmp_path / "nothing", lines.append) == FormerBoard()
    assert len(lines) == 1
