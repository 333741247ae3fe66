"""The schema version in files of rows; `schemas/` holds files as earlier versions wrote them."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from earwitness import __version__
from earwitness.errors import EarwitnessError
from earwitness.gate import read_baseline, update_baseline
from earwitness.gate.comparability import attached
from earwitness.results import rows
from earwitness.results.schema_version import SCHEMA, VERSION, WRITER, NewerSchemaError, schema_version
from gate_rows import table

SCHEMAS = Path(__file__).parent / "schemas"
ROWS = table({"fid_f@top30": [0.5, 0.25]})


def written(path: Path, **metadata: str) -> Path:
    """A file of rows with such metadata."""
    said = {name.replace("_", "."): text for name, text in metadata.items()}
    pq.write_table(ROWS.replace_schema_metadata(said), path)
    return path


def test_every_version_before_this_one_has_its_files_here() -> None:
    expected = {f"{kind}_{version}.parquet" for kind in ("rows", "baseline") for version in range(1, VERSION)}
    assert {path.name for path in SCHEMAS.iterdir()} == expected


def test_rows_of_version_1_are_read() -> None:
    path = SCHEMAS / "rows_1.parquet"
    assert schema_version(pq.read_schema(path), path) == 1
    found = rows.read_parts([path])
    assert len(found) == 40
    first = found.slice(0, 1).to_pylist()[0]
    assert (first["submission"], first["metric"], first["metric_hash"], first["item"], first["value"]) == (
        "random", "deletion_wer@mean+reference", "584dc6fb90195e44", "test-00000", 0.04807692307692307
    )  # fmt: skip
    assert rows.fingerprint(found) == "397a1cbf7186d88464a43c9ab59f26b9eaf0f42521db760f1b53d65a6bb49c2c"


def test_rows_and_baselines_of_version_2_are_read_without_knowing_how_many_passes_are_plausible() -> None:
    path = SCHEMAS / "rows_2.parquet"
    assert schema_version(pq.read_schema(path), path) == 2
    assert "metering" not in pq.read_schema(path).names
    found = rows.read_parts([path])
    assert set(found["metering"].to_pylist()) == {"self-reported"}
    assert set(found["plausible_forwards"].to_pylist()) == {None}
    assert rows.fingerprint(found) == "d6a7a6ab63c05a0b85019813c71fe9403a9ae008ca5dc18b56272596d69b0cf6"
    old = read_baseline(SCHEMAS / "baseline_2.parquet")
    assert rows.fingerprint(old) == "3cfdbc556615f74a33479064d50873f6bc31e4b8d478ff551b67469c95951e6d"


def test_a_baseline_of_version_1_is_read_with_what_its_tasks_are_known_by(tmp_path: Path) -> None:
    old = read_baseline(SCHEMAS / "baseline_1.parquet")
    assert rows.fingerprint(old) == "1b29bf6ef4729e7e86015c13869afc249da0f05c9d048ef79124477f9700e994"
    assert list(attached(old)) == ["d7eaa6d9b0af9549"]
    assert {"task", "model", "data", "code"} <= attached(old)["d7eaa6d9b0af9549"].keys()


def test_an_update_of_a_baseline_of_version_1_keeps_its_rows_and_says_the_version_of_today(tmp_path: Path) -> None:
    path = tmp_path / "b.parquet"
    path.write_bytes((SCHEMAS / "baseline_1.parquet").read_bytes())
    assert update_baseline(path, ROWS).kept == 80
    assert schema_version(pq.read_schema(path), path) == VERSION
    assert len(read_baseline(path)) == 82
    assert list(attached(read_baseline(path))) == ["d7eaa6d9b0af9549"]


def test_what_is_written_says_the_version_and_what_wrote_it_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "rows" / "0.parquet"
    rows.write_table(ROWS, path)
    metadata = pq.read_schema(path).metadata
    assert (metadata[SCHEMA], metadata[WRITER]) == (str(VERSION).encode(), __version__.encode())
    assert rows.read_run(tmp_path).equals(rows.ordered(ROWS), check_metadata=True)


@pytest.mark.parametrize("read", [lambda path: rows.read_parts([path]), read_baseline])
def test_a_newer_schema_is_refused_in_one_line_that_says_what_to_install(read, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    newer = written(tmp_path / "b.parquet", earwitness_schema=str(VERSION + 1), earwitness_version="9.8.7")
    with pytest.raises(NewerSchemaError) as error:
        read(newer)
    assert str(error.value) == (
        f"{newer} holds rows of schema {VERSION + 1}, and earwitness {__version__} reads up to {VERSION}; install "
        "earwitness 9.8.7, which wrote it, or a newer one"
    )


def test_a_newer_schema_with_other_columns_is_called_newer_and_not_foreign(tmp_path: Path) -> None:
    path = tmp_path / "0.parquet"
    more = ROWS.append_column("loudness", pa.array([1.0, 2.0])).drop_columns(["seconds"])
    pq.write_table(more.replace_schema_metadata({SCHEMA: b"77"}), path)
    with pytest.raises(NewerSchemaError, match=r"schema 77, and .* install a newer earwitness$"):
        rows.read_parts([path])


@pytest.mark.parametrize("said", ["0", "-1", "two", "", "1.0", "9" * 5000, "²"])
def test_a_version_that_is_none_is_one_line(said: str, tmp_path: Path) -> None:
    path = written(tmp_path / "0.parquet", earwitness_schema=said)
    with pytest.raises(EarwitnessError, match=r"which is no version; score the run again$") as error:
        rows.read_parts([path])
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < len(str(path)) + 250
