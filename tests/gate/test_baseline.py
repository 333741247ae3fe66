import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from earwitness.errors import ITEM_FAILED, USAGE, EarwitnessError, ExplainerFailedError
from earwitness.gate import Changes, read_baseline, read_rows, update_baseline
from earwitness.results.rows import ordered, write_table
from gate_rows import recipe, scores, table

HIGHER, LOWER = "fid_cf@top30", "fid_f@top30"
VALUES = {HIGHER: [0.5, 0.6, 0.7]}


def write_run(folder: Path, rows: pa.Table, **fields: Any) -> Path:
    write_table(rows, folder / "rows" / "0.parquet")
    (folder / "run.json").write_text(json.dumps(recipe(rows, **fields)), encoding="utf-8")
    return folder


def updated(path: Path, *parts: pa.Table) -> Changes:
    for part in parts:
        changes = update_baseline(path, part)
    return changes


def test_a_baseline_holds_the_rows_that_were_written(tmp_path: Path) -> None:
    rows = table(VALUES)
    changes = updated(tmp_path / "b.parquet", rows)
    assert read_baseline(tmp_path / "b.parquet").equals(ordered(rows))
    assert (changes.rows, changes.kept) == (3, 0)
    assert [(change.kind, change.lines) for change in changes.changes] == [("added", ("3 items",))]


def test_an_update_replaces_a_submission_on_a_task_and_keeps_the_others(tmp_path: Path) -> None:
    path = tmp_path / "b.parquet"
    changes = updated(path, table(VALUES), table(VALUES, submission="random"), table({HIGHER: [0.1, 0.2]}))
    found = read_baseline(path)
    assert (changes.kept, changes.rows, len(found)) == (3, 5, 5)
    mine = found.filter(pc.equal(found["submission"], "mine"))
    assert sorted(mine["value"].to_pylist()) == [0.1, 0.2]


def test_held_out_items_enter_no_baseline(tmp_path: Path) -> None:
    with pytest.raises(EarwitnessError, match="held-out items, which a baseline would publish"):
        update_baseline(tmp_path / "b.parquet", table(VALUES, task_hash="h1-held0123456789abcdef"))
    assert not (tmp_path / "b.parquet").exists()


def test_an_update_says_what_changed(tmp_path: Path) -> None:
    old = table({HIGHER: [0.5, 0.5], LOWER: [0.2, 0.2], "size": [0.1, 0.1]})
    new = table(
        {HIGHER: [0.4, 0.4, None], LOWER: [0.1, 0.1, 0.1], "kl_f@top30": [1.0, 1.0, 1.0]},
        submission_hash="s2", task_version=2, task_hash="h2",
    )  # fmt: skip
    (change,) = updated(tmp_path / "b.parquet", old, new).changes
    assert change.kind == "changed"
    assert change.lines == (
        "task version 1 -> 2",
        "task hash h1 -> h2",
        "submission hash s1 -> s2",
        "items 2 -> 3",
        "fid_cf@top30: mean 0.5 -> 0.4 (worse)",
        "fid_f@top30: mean 0.2 -> 0.1 (better)",
        "fid_f@top30: 2 -> 3 values",
        "kl_f@top30: measured for the first time",
        "size: no longer measured",
    )


def test_rows_that_differ_in_cost_alone_are_unchanged(tmp_path: Path) -> None:
    (change,) = updated(tmp_path / "b.parquet", table(VALUES), table(VALUES, seconds=99.0, run="again")).changes
    assert (change.kind, change.lines) == ("unchanged", ())


def test_the_file_is_small_and_its_bytes_do_not_depend_on_the_order_of_rows(tmp_path: Path) -> None:
    rows = table({f"fid_f@top{n}": scores(1000, n) for n in range(5)})
    updated(tmp_path / "a.parquet", rows)
    updated(tmp_path / "b.parquet", rows.take(np.random.default_rng(0).permutation(len(rows))))
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    assert (tmp_path / "a.parquet").stat().st_size < 20 * len(rows)


def test_an_explainer_without_any_value_makes_no_baseline(tmp_path: Path) -> None:
    with pytest.raises(ExplainerFailedError, match="no item has a value: the explainer raised") as caught:
        updated(tmp_path / "b.parquet", table({HIGHER: [None, None]}))
    assert caught.value.exit_code == ITEM_FAILED
    assert not (tmp_path / "b.parquet").exists()


def foreign(path: Path) -> None:
    pq.write_table(table(VALUES).drop_columns(["cluster"]), path)


def doubled(path: Path) -> None:
    write_table(pa.concat_tables([table(VALUES), table(VALUES, submission_hash="s2")]), path)


@pytest.mark.parametrize(
    ("write", "complaint"),
    [
        (lambda path: None, "no such baseline; write it with"),
        (lambda path: path.write_text("rows"), "is no Parquet file of rows"),
        (foreign, "rows of another schema"),
        (lambda path: write_table(table({}), path), "no row; run again, or write the baseline with"),
        (doubled, "3 rows are there more than once: mine on planted, fid_cf@top30 of item i000"),
    ],
)
def test_a_baseline_that_is_none_is_refused_in_one_line(tmp_path: Path, write: Any, complaint: str) -> None:
    path = tmp_path / "b.parquet"
    write(path)
    with pytest.raises(EarwitnessError) as caught:
        read_baseline(path)
    assert complaint in " ".join(str(caught.value).split())
    assert caught.value.exit_code == USAGE


def test_rows_are_read_from_a_run_or_from_all_runs_of_a_folder(tmp_path: Path) -> None:
    one = write_run(tmp_path / "one", table(VALUES))
    write_run(tmp_path / "two", table(VALUES, task="other"))
    assert len(read_rows([one])) == 3
    assert len(read_rows([tmp_path])) == 6
    assert len(read_rows([tmp_path, one])) == 6


def test_runs_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EarwitnessError, match="is no run and holds none"):
        read_rows([tmp_path])
    write_run(tmp_path / "half", table(VALUES), state="incomplete")
    with pytest.raises(EarwitnessError, match="half is incomplete; run the same command again"):
        read_rows([tmp_path / "half"])
    runs = [write_run(tmp_path / "both" / name, table(VALUES, submission_hash=name, run=name)) for name in "ab"]
    with pytest.raises(EarwitnessError, match="keep one run of a submission on a task"):
        read_rows(runs)
