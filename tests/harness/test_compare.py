from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from earwitness.errors import NOT_COMPARABLE, EarwitnessError
from earwitness.harness.compare import compare
from earwitness.harness.recipe import NotComparableError
from earwitness.results import rows
from earwitness.results.rows import Row

ROW = Row(
    submission="mine", submission_hash="s", task="t", task_version=1, task_hash="h", metric="fid_cf@top30", item="a",
    cluster="c", generation_seed=0, explainer_seed=0, value=0.1, status="ok", reason="", seconds=1.5, forwards=3,
    backwards=2, peak_bytes=1024, isolation="process", run="r",
)  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Path]:
    def make(name: str, values: dict[str, float | None], **changes: object) -> Path:
        some = [
            replace(ROW, item=f"{i:02d}", cluster=f"{i:02d}", metric=metric, value=value, **changes)
            for metric in values
            for i in range(20)
            for value in (None if values[metric] is None else values[metric] + 0.01 * (i % 3),)
        ]
        bad = [replace(row, status="failed", reason="x") if row.value is None else row for row in some]
        rows.write_part(bad, tmp_path / name / "rows" / "0.parquet")
        return tmp_path / name

    return make


@pytest.mark.parametrize(
    ("metric", "first", "second", "verdict"),
    [
        ("fid_cf@top30", 0.6, 0.4, "A is better"),
        ("fid_f@top30", 0.6, 0.4, "B is better"),
        ("fid_f@top30", 0.5, 0.5, "cannot be told apart"),
        ("size", 0.6, 0.4, ""),
    ],
)
def test_the_verdict_follows_the_metrics_direction(
    run: Callable[..., Path], metric: str, first: float, second: float, verdict: str
) -> None:
    (found,) = compare(run("a", {metric: first}), run("b", {metric: second}))
    assert (found.verdict, found.items) == (verdict, 20)
    assert found.difference == pytest.approx(first - second)
    assert found.low - 1e-9 <= found.difference <= found.high + 1e-9


def test_only_items_that_both_have_are_compared(run: Callable[..., Path]) -> None:
    first, second = run("a", {"fid_f@top30": 0.1, "size": 0.2}), run("b", {"fid_f@top30": None, "size": 0.2})
    assert [found.metric for found in compare(first, second)] == ["size"]


@pytest.mark.parametrize("column", ["task", "task_hash"])
def test_runs_on_other_items_are_not_comparable(run: Callable[..., Path], column: str) -> None:
    with pytest.raises(NotComparableError, match=f"differ in {column}") as caught:
        compare(run("a", {"size": 0.1}), run("b", {"size": 0.1}, **{column: "other"}))
    assert caught.value.exit_code == NOT_COMPARABLE


def test_a_folder_without_rows_is_named(run: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(EarwitnessError, match="no run with rows"):
        compare(run("a", {"size": 0.1}), tmp_path / "nothing")
