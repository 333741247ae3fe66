"""Pairing, and what counts as the floor, on numbers that can be checked by hand."""

import numpy as np
import pyarrow as pa
import pytest

from earwitness.errors import NotComparableError
from earwitness.gate.comparison import Compared, compare
from earwitness.results.filling import direction
from earwitness.results.rows import Status
from gate_rows import table

HIGHER, LOWER, ENDLESS = "fid_cf@top30", "fid_f@top30", "kl_f@top30"


def compared(run: pa.Table, baseline: pa.Table, *metrics: str) -> Compared:
    return compare(run, baseline, "planted", "mine", metrics)


def column(values: np.ndarray) -> list[float]:
    return values[:, 0].tolist()


@pytest.mark.parametrize(("metric", "sign"), [(HIGHER, 1), (LOWER, -1), ("size", 0), ("unheard_of", 0)])
def test_the_direction_is_the_metrics_own(metric: str, sign: int) -> None:
    assert direction(metric) == sign


def test_values_are_paired_by_item_whatever_the_order_of_rows() -> None:
    baseline, run = table({HIGHER: [0.1, 0.2, 0.3]}), table({HIGHER: [0.4, 0.5, 0.6]})
    found = compared(run.take([2, 0, 1]), baseline, HIGHER)
    assert found.items == ["i0000", "i0001", "i0002"]
    assert (column(found.before), column(found.after)) == ([0.1, 0.2, 0.3], [0.4, 0.5, 0.6])


def test_values_are_means_over_generation_seeds_and_explainer_seeds() -> None:
    parts = [
        table({HIGHER: [value]}, generation_seed=generation, explainer_seed=explainer)
        for generation, explainer, value in ((0, 0, 0.1), (1, 0, 0.2), (0, 1, 0.3), (1, 1, 0.8))
    ]
    found = compared(pa.concat_tables(parts), pa.concat_tables(parts[::-1]), HIGHER)
    assert column(found.after) == pytest.approx([0.35])
    assert column(found.before) == pytest.approx([0.35])


def test_a_failed_item_counts_as_the_random_explainers_value_on_that_item() -> None:
    floor = table({HIGHER: [0.05, 0.15]}, submission="random")
    baseline = pa.concat_tables([table({HIGHER: [0.7, 0.8]}), floor])
    found = compared(table({HIGHER: [0.7, None]}), baseline, HIGHER)
    assert column(found.after) == [0.7, 0.15]
    assert column(found.failed) == [False, True]


def test_random_rows_of_another_version_of_the_task_are_no_floor() -> None:
    floor = table({HIGHER: [0.05, 0.15]}, submission="random", task_hash="h0")
    baseline = pa.concat_tables([table({HIGHER: [0.7, 0.8]}), floor])
    assert column(compared(table({HIGHER: [0.7, None]}), baseline, HIGHER).after) == [0.7, -1.0]


def test_a_missing_seed_counts_as_the_floor_and_not_as_the_mean_of_the_others() -> None:
    seeds = [table({HIGHER: [0.8]}, generation_seed=seed) for seed in (0, 1)]
    floor = [table({HIGHER: [0.2]}, generation_seed=seed, submission="random") for seed in (0, 1)]
    found = compared(seeds[0], pa.concat_tables(seeds + floor), HIGHER)
    assert column(found.after) == pytest.approx([0.5])
    assert column(found.failed) == [True]


@pytest.mark.parametrize(("metric", "worst"), [(HIGHER, -1.0), (LOWER, 1.0)])
def test_without_random_rows_a_failed_item_counts_as_the_worst_end_of_the_range(metric: str, worst: float) -> None:
    found = compared(table({metric: [0.7, None]}), table({metric: [0.7, 0.8]}), metric)
    assert column(found.after) == [0.7, worst]


def test_where_the_range_has_no_end_it_is_the_worst_value_that_any_row_has() -> None:
    others = table({ENDLESS: [9.0, 2.0]}, submission="other")
    baseline = pa.concat_tables([table({ENDLESS: [1.0, 2.0]}), others])
    found = compared(table({ENDLESS: [1.0, None]}), baseline, ENDLESS)
    assert column(found.after) == [1.0, 9.0]


def test_an_item_that_the_run_was_not_run_on_is_left_out_and_noted() -> None:
    found = compared(table({HIGHER: [0.7]}), table({HIGHER: [0.7, 0.8]}), HIGHER)
    assert (found.items, column(found.after)) == (["i0000"], [0.7])
    assert found.notes == ("mine on planted: the run has no row of 1 of 2 items, which are left out",)


def test_sides_that_share_no_item_are_not_comparable() -> None:
    both = table({HIGHER: [0.7, 0.8]})
    with pytest.raises(NotComparableError, match="share no item"):
        compared(both.slice(0, 1), both.slice(1, 1), HIGHER)


def test_values_of_another_version_of_the_metric_are_not_comparable() -> None:
    with pytest.raises(NotComparableError, match="another version of the metric than in the baseline"):
        compared(table({HIGHER: [0.7]}, metric_hash="new"), table({HIGHER: [0.7]}, metric_hash="old"), HIGHER)


def test_items_that_the_baseline_does_not_know_are_left_out_and_noted() -> None:
    found = compared(table({HIGHER: [0.7, 0.8, 0.9]}), table({HIGHER: [0.7]}), HIGHER)
    assert found.items == ["i0000"]
    assert found.notes == ("mine on planted: 2 items of the run are not in the baseline",)


def test_a_failure_in_the_baseline_counts_as_the_floor_there() -> None:
    found = compared(table({HIGHER: [0.7]}), table({HIGHER: [None]}), HIGHER)
    assert column(found.before) == [-1.0]
    assert not found.failed.any()


def test_a_metric_that_applies_to_an_item_on_no_side_leaves_the_item_out() -> None:
    skipped = table({HIGHER: [0.5, None]}).to_pylist()
    skipped[1].update(status=Status.SKIPPED, reason="no event")
    rows = pa.Table.from_pylist(skipped, schema=table({HIGHER: [0.5]}).schema)
    found = compared(rows, rows, HIGHER)
    assert column(found.before)[0] == 0.5
    assert np.isnan(found.before[1, 0])
    assert not found.failed.any()


def test_a_value_that_is_not_finite_is_no_value() -> None:
    found = compared(table({HIGHER: [float("nan")]}), table({HIGHER: [0.5]}), HIGHER)
    assert column(found.after) == [-1.0]
