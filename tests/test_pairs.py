"""Two runs, or two submissions, side by side."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from earwitness.board.pairs import Difference, Pair, compare
from earwitness.errors import NOT_COMPARABLE, EarwitnessError, NotComparableError
from earwitness.results import rows
from earwitness.stats.intervals import Resampling
from gate_rows import records

HIGHER, LOWER, SIZE = "fid_cf@top30", "fid_f@top30", "size"
QUICK = Resampling(draws=200)
Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Writes the run of a submission with values [items] of each metric."""

    def written(name: str, values: Mapping[str, Sequence[float | None]], keep: slice = slice(None), **changes: object):
        folder = tmp_path / "runs" / f"{name}{len(list(tmp_path.glob('runs/*')))}"
        changes = {"submission": name, "submission_hash": name, "run": folder.name, **changes}
        some = [replace(row, **changes) for row in records(values)]
        items = sorted({row.item for row in some})[keep]
        rows.write_part([row for row in some if row.item in items], folder / "rows" / "0.parquet")
        (folder / "run.json").write_text("{}")
        return folder

    return written


def pair(first: Path | str, second: Path | str, tmp_path: Path, task: str | None = None) -> Pair:
    (found,) = compare(str(first), str(second), [tmp_path / "runs"], task, QUICK)
    return found


def only(found: Pair) -> Difference:
    (difference,) = found.differences
    return difference


def near(value: float, count: int = 20) -> list[float]:
    return [value + 0.01 * (number % 3) for number in range(count)]


@pytest.mark.parametrize(
    ("metric", "first", "second", "verdict"),
    [
        (HIGHER, 0.6, 0.4, "A is better"),
        (LOWER, 0.6, 0.4, "B is better"),
        (LOWER, 0.5, 0.5, "not told apart"),
        (SIZE, 0.6, 0.4, ""),
    ],
)
def test_the_verdict_follows_the_metrics_direction(
    make: Make, tmp_path: Path, metric: str, first: float, second: float, verdict: str
) -> None:
    found = only(pair(make("a", {metric: near(first)}), make("b", {metric: near(second)}), tmp_path))
    assert (found.verdict, found.items) == (verdict, 20)
    assert found.difference == pytest.approx(first - second)
    assert found.low - 1e-9 <= found.difference <= found.high + 1e-9
    assert (found.p is None) == (metric == SIZE)


def test_failing_on_its_worst_items_never_makes_an_entrant_better(make: Make, tmp_path: Path) -> None:
    """Against the floor itself, and against another entrant above it."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        floor, other, mine = (rng.uniform(0, 0.5, 100) for _ in range(3))
        worst = np.argsort(mine - floor)[:60]
        failing = [None if number in worst else value for number, value in enumerate(mine)]
        against = make("random", {HIGHER: floor}, task=f"t{seed}")
        honest, failed = (make("mine", {HIGHER: values}, task=f"t{seed}") for values in (mine, failing))
        assert only(pair(honest, against, tmp_path)).verdict == "not told apart"
        assert only(pair(failed, against, tmp_path)).verdict != "A is better"
        assert only(pair(against, failed, tmp_path)).verdict != "B is better"
        above = make("other", {HIGHER: other + 0.5}, task=f"t{seed}")
        better = make("mine", {HIGHER: [None if value is None else value + 0.5 for value in failing]}, task=f"t{seed}")
        assert only(pair(better, above, tmp_path)).verdict == "B is better"


def test_a_failed_item_takes_the_floors_value_and_is_said_to(make: Make, tmp_path: Path) -> None:
    make("random", {HIGHER: [0.1, 0.2]})
    found = pair(make("a", {HIGHER: [None, 0.8]}), make("b", {HIGHER: [0.5, 0.5]}), tmp_path)
    assert only(found).first == pytest.approx(0.45)
    assert found.notes[0].startswith(
        "A failed on 1 items, which take the value of 'random'; A is only said to be better"
    )


def test_without_a_floor_a_failed_item_takes_the_worst_end(make: Make, tmp_path: Path) -> None:
    found = pair(make("a", {HIGHER: [None, 0.8]}), make("b", {HIGHER: [0.5, 0.5]}), tmp_path)
    assert only(found).first == pytest.approx(-0.1)
    assert "the worst value" in found.notes[0]


def test_only_items_that_both_ran_are_compared_and_it_says_how_many(make: Make, tmp_path: Path) -> None:
    found = pair(make("a", {HIGHER: near(0.6)}, slice(8)), make("b", {HIGHER: near(0.4)}), tmp_path)
    assert (found.items, only(found).items, only(found).verdict) == (8, 8, "A is better")
    assert found.notes == ("A ran 8 items, B 20: compared on the 8 that both ran.",)


def test_where_not_even_a_difference_on_every_item_would_tell_it_says_so(make: Make, tmp_path: Path) -> None:
    few = pair(make("a", {HIGHER: near(0.6, 5)}), make("b", {HIGHER: near(0.4, 5)}), tmp_path)
    assert only(few).verdict == "too few items"
    enough = pair(make("c", {HIGHER: near(0.6, 6)}), make("d", {HIGHER: near(0.4, 6)}), tmp_path)
    assert only(enough).verdict == "A is better"


def test_p_is_adjusted_over_the_metrics_with_a_direction(make: Make, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    metrics = {HIGHER: list(0.1 * rng.normal(0.2, 1, 10)), SIZE: near(0.1, 10)}
    metrics |= {f"{LOWER}+{number}": list(0.1 * rng.normal(0, 1, 10)) for number in range(3)}
    nothing = {metric: [0.0] * 10 for metric in metrics}
    found = pair(make("a", metrics), make("b", nothing), tmp_path)
    assert found.family == 4
    told = {difference.metric: difference for difference in found.differences}
    # The literal version: every sign assignment, the largest studentised sum of all four, either side.
    columns = np.array([values for metric, values in metrics.items() if metric != SIZE]).T
    columns /= np.sqrt((columns**2).sum(axis=0))
    signs = np.array(list(itertools.product((1, -1), repeat=10)))
    largest = np.abs(signs @ columns).max(axis=1)
    first = max(range(4), key=lambda number: abs(columns[:, number].sum()))
    expected = np.mean(largest >= abs(columns[:, first].sum()) - 1e-9)
    name = [metric for metric in metrics if metric != SIZE][first]
    assert told[name].p == pytest.approx(expected)
    assert told[SIZE].p is None


def test_the_interval_leaves_out_0_exactly_where_one_is_better(make: Make, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    metrics = {f"{HIGHER}+{number}": list(0.1 * rng.normal(0.15 * number, 1, 40)) for number in range(8)}
    found = pair(make("a", metrics), make("b", {metric: [0.0] * 40 for metric in metrics}), tmp_path)
    words = [difference.verdict for difference in found.differences]
    assert {"A is better", "not told apart"} == set(words)
    for difference in found.differences:
        assert (difference.low > 0 or difference.high < 0) == (difference.verdict != "not told apart")
        assert (difference.p < 0.05) == (difference.verdict != "not told apart")


def test_disjoint_items_are_not_comparable(make: Make, tmp_path: Path) -> None:
    first, second = make("a", {HIGHER: near(0.6)}, slice(8)), make("b", {HIGHER: near(0.6)}, slice(8, 20))
    with pytest.raises(NotComparableError, match="share no item on planted: they ran 8 and 12 items"):
        pair(first, second, tmp_path)


@pytest.mark.parametrize("column", ["task", "task_hash", "generation_seed"])
def test_runs_of_another_task_or_seed_are_not_comparable(make: Make, tmp_path: Path, column: str) -> None:
    other = {column: 7 if column.endswith("seed") else "other"}
    with pytest.raises(NotComparableError, match=f"differ in {column}") as caught:
        pair(make("a", {HIGHER: near(0.6)}), make("b", {HIGHER: near(0.6)}, **other), tmp_path)
    assert caught.value.exit_code == NOT_COMPARABLE


def test_submissions_are_compared_on_every_task_that_both_ran(make: Make, tmp_path: Path) -> None:
    for task in ("one", "two", "three"):
        make("a", {HIGHER: near(0.6)}, task=task)
        if task != "three":
            make("b", {HIGHER: near(0.4)}, task=task)
    found = compare("a", "b", [tmp_path / "runs"], sampling=QUICK)
    assert [(pair.task, only(pair).verdict) for pair in found] == [("one", "A is better"), ("two", "A is better")]
    assert pair("a", "b", tmp_path, "two").task == "two"
    with pytest.raises(NotComparableError, match="did not both run three; A ran one, three, two, B ran one, two"):
        pair("a", "b", tmp_path, "three")


def test_what_is_absent_or_ambiguous_is_one_line(make: Make, tmp_path: Path) -> None:
    make("a", {HIGHER: near(0.6)})
    make("b", {HIGHER: near(0.6)})
    with pytest.raises(
        EarwitnessError, match="c is no run's folder and no submission that was run; the runs have a, b"
    ):
        pair("a", "c", tmp_path)
    (make("d", {HIGHER: near(0.6)}) / "run.json").write_text("[]")
    with pytest.raises(EarwitnessError, match=r"d is no run's folder .* left out: .* is no recipe of a run"):
        pair("a", "d", tmp_path)
    make("a", {HIGHER: near(0.6)}, submission_hash="another")
    with pytest.raises(EarwitnessError, match="a was run on planted in several versions; name one of"):
        pair("a", "b", tmp_path)


def test_a_folder_without_rows_is_named(make: Make, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    with pytest.raises(EarwitnessError, match=r"nothing is no run: it has no run\.json"):
        pair(make("a", {SIZE: near(0.1)}), tmp_path / "nothing", tmp_path)
