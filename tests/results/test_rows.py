import errno
import hashlib
import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earwitness.errors import EarwitnessError
from earwitness.results import rows
from earwitness.results.rows import COSTS, SCHEMA, Row

ROW = Row(
    submission="mine", submission_hash="s", task="t", task_version=1, task_hash="h", metric="fid_f@top30", item="a",
    cluster="c", generation_seed=0, explainer_seed=0, value=0.1, status="ok", reason="", seconds=1.5, forwards=3,
    backwards=2, peak_bytes=1024, isolation="process", run="r",
)  # fmt: skip


def fingerprint(*some: Row) -> str:
    return rows.fingerprint(rows.table(some))


def test_rows_come_back_from_parquet_bit_for_bit(tmp_path: Path) -> None:
    written = [ROW, replace(ROW, item="b", value=None, status="failed", reason="ValueError: ä")]
    rows.write_part(written, tmp_path / "rows" / "00000.parquet")
    table = rows.read_run(tmp_path)
    assert table.schema == SCHEMA
    assert [Row(**record) for record in table.to_pylist()] == written


def literal(table: pa.Table) -> str:
    """The fingerprint, a JSON object a row."""
    digest = hashlib.sha256()
    hashes = any(table["metric_hash"].to_pylist())
    shared = [name for name in table.column_names if name not in rows.COSTS and (hashes or name != "metric_hash")]
    for record in rows.ordered(table.select(shared)).to_pylist():
        record["value"] = None if record["value"] is None else float(record["value"]).hex()
        digest.update(json.dumps(record, sort_keys=True).encode())
    return digest.hexdigest()


@pytest.mark.parametrize("metric_hash", ["", "abcd"])
def test_the_fingerprint_is_that_of_a_json_object_a_row(metric_hash: str) -> None:
    texts = ["a", 'say "it"', "ü\n", "a"]
    values = [0.1, None, -0.0, 1 / 3]
    some = [
        replace(ROW, item=f"item-{3 - place}", reason=text, value=value, metric_hash=metric_hash, generation_seed=place)
        for place, (text, value) in enumerate(zip(texts, values, strict=True))
    ]
    table = rows.table(some)
    assert rows.fingerprint(table) == literal(table)


def test_the_order_of_rows_and_of_parts_does_not_change_the_fingerprint(tmp_path: Path) -> None:
    others = [replace(ROW, item=name) for name in "dcb"]
    rows.write_part(others, tmp_path / "rows" / "1.parquet")
    rows.write_part([ROW], tmp_path / "rows" / "2.parquet")
    assert rows.fingerprint(rows.read_run(tmp_path)) == fingerprint(ROW, *reversed(others))


@pytest.mark.parametrize("column", sorted(set(SCHEMA.names) - set(COSTS)))
def test_the_fingerprint_sees_every_column_but_the_costs(column: str) -> None:
    value = getattr(ROW, column)
    changed: Any = value + 1 if isinstance(value, int | float) else value + "x"
    assert fingerprint(replace(ROW, **{column: changed})) != fingerprint(ROW)


def test_the_fingerprint_is_blind_to_costs_and_to_the_runs_name() -> None:
    spent = replace(ROW, seconds=9.0, forwards=9, backwards=9, peak_bytes=9, isolation="bwrap", run="other")
    assert fingerprint(spent) == fingerprint(ROW)


@given(st.floats(allow_nan=False, width=64), st.floats(allow_nan=False, width=64))
def test_the_fingerprint_sees_the_last_bit_of_a_value(first: float, second: float) -> None:
    same = first.hex() == second.hex()
    assert (fingerprint(replace(ROW, value=first)) == fingerprint(replace(ROW, value=second))) == same


def test_a_full_disk_is_one_line_and_leaves_no_half_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(table: pa.Table, where: Path, **_: Any) -> None:
        Path(where).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pq, "write_table", full)
    with pytest.raises(EarwitnessError, match="No space left on device; make room and run the same command"):
        rows.write_part([ROW], tmp_path / "rows" / "0.parquet")
    assert list((tmp_path / "rows").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "rows").write_text("a file")
    with pytest.raises(EarwitnessError, match="cannot write"):
        rows.write_part([ROW], tmp_path / "rows" / "0.parquet")


def test_a_part_that_is_written_again_replaces_the_old_one_at_once(tmp_path: Path) -> None:
    path = tmp_path / "rows" / "0.parquet"
    rows.write_part([ROW], path)
    rows.write_part([replace(ROW, value=0.7)], path)
    assert rows.read_run(tmp_path)["value"].to_pylist() == [0.7]
    assert [entry.name for entry in path.parent.iterdir()] == ["0.parquet"]


def test_what_is_no_parquet_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "0.parquet"
    path.write_bytes(b"half of a file")
    with pytest.raises(EarwitnessError, match=r"0\.parquet is no Parquet file of rows"):
        rows.read_parts([path])


def test_rows_of_another_schema_are_refused(tmp_path: Path) -> None:
    pq.write_table(rows.table([ROW]).drop_columns(["status"]), tmp_path / "0.parquet")
    with pytest.raises(EarwitnessError, match="another schema"):
        rows.read_parts([tmp_path / "0.parquet"])


def test_a_folder_whose_name_looks_like_a_partition_adds_no_column(tmp_path: Path) -> None:
    rows.write_part([ROW], tmp_path / "seed=1" / "rows" / "0.parquet")
    assert len(rows.read_run(tmp_path / "seed=1")) == 1


def test_a_run_without_rows_is_an_empty_table(tmp_path: Path) -> None:
    assert rows.read_run(tmp_path).schema == SCHEMA
    assert len(rows.read_run(tmp_path)) == 0


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255), st.booleans()), min_size=1, max_size=4))
def test_a_part_with_changed_bytes_is_read_or_named(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[float, int, bool]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "changed.parquet"
    rows.write_part([ROW, replace(ROW, item="b")], path)
    content = bytearray(path.read_bytes())
    for share, byte, gone in changes:
        place = int(share * (len(content) - 1))
        content[place : place + 1] = b"" if gone else bytes([byte])
    path.write_bytes(content)
    with suppress(EarwitnessError):
        rows.read_parts([path]).to_pylist()
