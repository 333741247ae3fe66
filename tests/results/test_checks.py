"""Rows that no run wrote are named and left out, whoever reads them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from earwitness import board
from earwitness.errors import ITEM_FAILED, EarwitnessError
from earwitness.gate import read_baseline, read_rows
from earwitness.results.folders import open_run, open_runs
from earwitness.results.rows import Row, table, write_part
from gate_rows import recipe, records

VALUES = {"fid_cf@top30": [0.2, 0.4, 0.6], "kl_cf@top30": [1.0, 2.0, 3.0]}
FORGED = {
    "a key twice": ({}, "is there more than once"),
    "a value that is no number": ({"value": float("nan")}, "is ok and has the value nan"),
    "an infinite value": ({"value": float("inf")}, "is ok and has the value inf"),
    "no value": ({"value": None}, "is ok and has the value None"),
    "a value outside the metric's range": ({"value": 1.5}, "has the value 1.5, which the metric cannot have"),
    "a value that no metric measures": (
        {"value": 1e300, "metric": "kl_cf@top30"},
        "has the value 1e+300, which the metric cannot have",
    ),
    "an unknown status": ({"status": "great"}, "has the unknown status 'great'"),
    "a negative cost": ({"forwards": -3}, "costs 1.5 seconds, -3 forwards"),
    "an endless cost": ({"seconds": float("inf")}, "costs inf seconds"),
}


def forged(change: dict[str, Any]) -> list[Row]:
    some = records(VALUES)
    if not change:
        return [*some, replace(some[0], value=0.3)]
    place = next(n for n, row in enumerate(some) if row.metric == change.get("metric", row.metric))
    return [*some[:place], replace(some[place], **change), *some[place + 1 :]]


def write_run(folder: Path, some: list[Row], **fields: Any) -> Path:
    write_part(some, folder / "rows" / "0.parquet")
    (folder / "run.json").write_text(json.dumps({**recipe(table(some)), **fields}))
    return folder


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_row_is_named_by_whoever_reads_it(tmp_path: Path, name: str) -> None:
    change, said = FORGED[name]
    run = write_run(tmp_path / "runs" / "forged", forged(change))
    baseline = tmp_path / "baseline.parquet"
    write_part(forged(change), baseline)
    for read in (lambda: open_run(run), lambda: read_rows([run]), lambda: read_baseline(baseline)):
        with pytest.raises(EarwitnessError) as caught:
            read()
        assert said in str(caught.value) or "are there more than once" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_rows_that_differ_from_their_fingerprint_are_not_believed(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", records(VALUES))
    assert len(open_run(run).rows) == 6
    better = [replace(row, value=0.9) if row.metric == "fid_cf@top30" else row for row in records(VALUES)]
    write_part(better, run / "rows" / "0.parquet")
    for read in (lambda: open_run(run), lambda: read_rows([run])):
        with pytest.raises(EarwitnessError, match=r"run holds other rows than its recipe names"):
            read()


@pytest.mark.parametrize("column", ["submission", "task"])
def test_rows_under_a_rivals_name_or_of_two_are_not_believed(tmp_path: Path, column: str) -> None:
    run = write_run(tmp_path / "run", records(VALUES, **{column: "rival"}), **{column: {"id": "own"}})
    with pytest.raises(EarwitnessError, match=f"rows of the {column} rival where its recipe names own"):
        open_run(run)
    two = write_run(tmp_path / "two", [*records(VALUES), *records(VALUES, **{column: "rival"})])
    with pytest.raises(EarwitnessError, match=f"rows of the {column} .*: a run has one"):
        open_run(two)


def test_a_run_that_is_done_names_a_fingerprint_and_one_under_way_need_not(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", records(VALUES), rows=None)
    with pytest.raises(EarwitnessError, match="other rows than its recipe names"):
        open_run(run)
    assert len(open_run(write_run(tmp_path / "half", records(VALUES), state="incomplete", rows=None)).rows) == 6


def test_a_forged_run_is_left_out_and_the_others_are_on_the_board(tmp_path: Path) -> None:
    write_run(tmp_path / "runs" / "honest", records(VALUES))
    write_run(tmp_path / "runs" / "forged", records({"fid_cf@top30": [7.0] * 3}, submission="forger"))
    runs, unread = open_runs([tmp_path / "runs"])
    assert ([run.folder.name for run in runs], [one.folder.name for one in unread]) == (["honest"], ["forged"])
    with pytest.raises(board.UnreadRunsError, match="forged holds rows that are not believed") as caught:
        board.build(tmp_path / "runs", tmp_path / "board")
    assert caught.value.exit_code == ITEM_FAILED
    assert [record["entrant"] for record in board.ranking_records(caught.value.path)] == ["mine"]


def test_a_value_outside_its_range_by_rounding_is_believed(tmp_path: Path) -> None:
    assert len(open_run(write_run(tmp_path / "run", records({"fid_cf@top30": [1 + 1e-7]}))).rows) == 1
