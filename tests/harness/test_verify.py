import math
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from earwitness.errors import EarwitnessError, NotComparableError
from earwitness.harness import recipe
from earwitness.harness.run import execute
from earwitness.harness.verify import _apart, verify
from earwitness.results import rows


@pytest.fixture
def folder(make_run: Any, engine: Any, box: Any, scoring: Any) -> Path:
    run = make_run(items=20)
    execute([run], engine)
    return Path(run.folder)


def test_an_honest_run_is_verified(folder: Path, engine: Any) -> None:
    verdict = verify(folder, engine)
    assert verdict.verified
    assert verdict.rows == 40
    assert verdict.differences == ()


def test_a_changed_value_is_found_with_its_row(folder: Path, engine: Any) -> None:
    path = folder / "rows" / "00016.parquet"
    table = pq.read_table(path).to_pylist()
    table[0]["value"] += 1e-12
    pq.write_table(rows.table([rows.Row(**row) for row in table]), path)
    verdict = verify(folder, engine)
    assert not verdict.verified
    (difference,) = verdict.differences
    assert (difference.key["item"], difference.key["metric"]) == (table[0]["item"], table[0]["metric"])
    assert difference.recorded.split()[0] == repr(table[0]["value"])


def test_rows_that_differ_by_rounding_are_verified_and_told(folder: Path, engine: Any) -> None:
    table = rows.read_run(folder).to_pylist()
    table[0]["value"] += 1e-6
    for path in (folder / "rows").glob("*.parquet"):
        path.unlink()
    made = rows.table([rows.Row(**row) for row in table])
    rows.write_table(made, folder / "rows" / "00000.parquet")
    stored = recipe.read(folder)
    recipe.write(folder, {**stored, "rows": {"number": len(made), "fingerprint": rows.fingerprint(made)}})
    verdict = verify(folder, engine)
    assert verdict.verified
    assert verdict.rounding == verdict.differences
    assert verdict.farthest == pytest.approx(1e-6, rel=0.1)


@pytest.mark.parametrize(
    ("other", "apart"),
    [
        ({"value": 0.5}, 0.0),
        ({"value": 0.5 + 1e-3}, 1e-3),
        ({"value": None}, math.inf),
        ({"value": math.nan}, math.inf),
        ({"status": "failed"}, math.inf),
        ({"reason": "none"}, math.inf),
    ],
)
def test_how_far_two_rows_lie_apart(other: dict[str, Any], apart: float) -> None:
    row = {"value": 0.5, "status": "ok", "reason": "", "cluster": "a", "task_version": 1}
    assert _apart(row, {**row, **other}) == pytest.approx(apart)
    assert _apart(row, None) == math.inf


def test_a_row_that_was_left_out_is_found(folder: Path, engine: Any) -> None:
    (folder / "rows" / "00016.parquet").unlink()
    verdict = verify(folder, engine)
    assert len(verdict.differences) == 8
    assert {difference.recorded for difference in verdict.differences} == {"no row"}


def test_a_recipe_that_names_other_rows_is_not_verified(folder: Path, engine: Any) -> None:
    known = recipe.read(folder)
    recipe.write(folder, {**known, "rows": {**known["rows"], "fingerprint": "0" * 64}})
    verdict = verify(folder, engine)
    assert not verdict.verified
    assert verdict.differences == ()


def test_a_submission_that_changed_since_is_not_comparable(folder: Path, engine: Any) -> None:
    path = Path(recipe.read(folder)["submission"]["folder"]) / "explainer.py"
    path.write_text("changed = True\n")
    with pytest.raises(NotComparableError, match="submission mine has changed"):
        verify(folder, engine)


def test_an_unfinished_run_is_no_thing_to_verify(folder: Path, engine: Any) -> None:
    recipe.write(folder, {**recipe.read(folder), "state": "incomplete"})
    with pytest.raises(EarwitnessError, match="is not done"):
        verify(folder, engine)


def test_costs_may_differ(folder: Path, engine: Any) -> None:
    path = folder / "rows" / "00000.parquet"
    table = [{**row, "seconds": 99.0} for row in pq.read_table(path).to_pylist()]
    pq.write_table(rows.table([rows.Row(**row) for row in table]), path)
    assert verify(folder, engine).verified
