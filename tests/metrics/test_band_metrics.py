"""Metrics of band maps against hand-checkable numbers and slow literal versions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earwitness.metrics import band, causal
from earwitness.metrics.arrays import UndefinedError

SEEDS = st.integers(0, 2**32 - 1)


def drawn(seed: int, shape: tuple[int, int, int] = (2, 4, 5), levels: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Maps of few levels, so that cells tie, and masks of which none is full or empty."""
    rng = np.random.default_rng(seed)
    maps, truth = rng.integers(0, levels, shape) / levels, rng.random(shape) < 0.3
    truth[:, 0, 0], truth[:, 1, 1] = True, False
    return maps, truth


def literal_ap(scores: list[float], wanted: list[bool]) -> float:
    """Sum over thresholds, from high to low, of precision times the gain in recall."""
    area, before = 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        marked = [score >= threshold for score in scores]
        hits = sum(a and b for a, b in zip(marked, wanted, strict=True))
        area += hits / sum(marked) * (hits / sum(wanted) - before)
        before = hits / sum(wanted)
    return area


def literal_pearson(a: list[float], b: list[float]) -> float:
    x, y = sum(a) / len(a), sum(b) / len(b)
    top = sum((p - x) * (q - y) for p, q in zip(a, b, strict=True))
    return top / math.sqrt(sum((p - x) ** 2 for p in a) * sum((q - y) ** 2 for q in b))


@given(seed=SEEDS)
def test_average_precision_is_that_of_a_literal_version(seed: int) -> None:
    maps, truth = drawn(seed)
    expected = [literal_ap(a.ravel().tolist(), b.ravel().tolist()) for a, b in zip(maps, truth, strict=True)]
    assert band.tf_ap(maps, truth) == pytest.approx(np.mean(expected))


def test_average_precision_over_one_axis_is_that_of_a_literal_version() -> None:
    maps, truth = drawn(3, (1, 5, 6), 100)
    truth[:, :, 2], truth[:, 4] = False, False
    times = [sum(maps[0, m, t] for m in range(5)) / 5 for t in range(6)]
    bins = [sum(maps[0, m, t] for t in range(6)) / 6 for m in range(5)]
    assert band.time_ap(maps, truth) == pytest.approx(
        literal_ap(times, [any(truth[0, m, t] for m in range(5)) for t in range(6)])
    )
    assert band.frequency_ap(maps, truth) == pytest.approx(
        literal_ap(bins, [any(truth[0, m, t] for t in range(6)) for m in range(5)])
    )


@given(seed=SEEDS)
def test_the_swap_correlation_is_that_of_a_literal_version(seed: int) -> None:
    rng = np.random.default_rng(seed)
    maps, changed = rng.random((2, 3, 4)), rng.random((2, 3, 4))
    expected = [literal_pearson(a.ravel().tolist(), b.ravel().tolist()) for a, b in zip(maps, changed, strict=True)]
    assert causal.swap_corr(maps, changed) == pytest.approx(np.mean(expected))
    assert causal.swap_corr(3 * maps + 1, changed) == pytest.approx(np.mean(expected))


@given(seed=SEEDS)
def test_a_map_of_the_truth_is_perfect_and_one_of_all_else_is_worst(seed: int) -> None:
    _, truth = drawn(seed)
    for metric in (band.tf_iou, band.precision, band.recall, band.f1):
        assert metric(truth, truth) == 1.0
        assert metric(~truth, truth) == 0.0
    for metric in (band.tf_ap, band.tf_pointing):
        assert metric(truth.astype(float), truth) == 1.0
    assert band.tf_pointing((~truth).astype(float), truth) == 0.0
    assert band.tf_ap((~truth).astype(float), truth) == pytest.approx(truth.mean((1, 2)).mean())


@given(seed=SEEDS)
def test_at_the_truths_density_precision_recall_and_f1_are_one_number(seed: int) -> None:
    maps, truth = drawn(seed)
    tie = np.random.default_rng(0).permutation(20).reshape(4, 5)
    chosen = np.stack([band.top_cells(a, int(b.sum()), tie) for a, b in zip(maps, truth, strict=True)])
    assert (chosen.sum((1, 2)) == truth.sum((1, 2))).all()
    values = {metric(chosen, truth) for metric in (band.precision, band.recall)}
    assert len(values) == 1
    assert band.f1(chosen, truth) == pytest.approx(values.pop())


def test_an_all_ones_map_marks_everything_and_its_precision_is_the_density() -> None:
    _, truth = drawn(1, (1, 4, 5))
    everything = band.upper_half(np.ones((4, 5)))[None]
    density = band.truth_density(truth)
    assert band.precision(everything, truth) == band.tf_iou(everything, truth) == pytest.approx(density)
    assert band.recall(everything, truth) == 1.0
    assert band.tf_ap(np.ones((1, 4, 5)), truth) == pytest.approx(density)


def test_a_map_that_marks_nothing_has_precision_zero() -> None:
    truth = np.array([[[True, False]]])
    for metric in (band.tf_iou, band.precision, band.recall, band.f1):
        assert metric(np.zeros((1, 1, 2), dtype=bool), truth) == 0.0


def test_equal_cells_are_taken_in_the_order_that_is_handed_in() -> None:
    tie = np.array([[2, 0], [1, 3]])
    assert band.top_cells(np.ones((2, 2)), 2, tie).tolist() == [[False, True], [True, False]]
    assert band.top_cells(np.ones((2, 2)), 0, tie).sum() == 0


@pytest.mark.parametrize("distance", [0, 1, 2])
def test_a_peak_may_miss_by_the_tolerance_on_both_axes(distance: int) -> None:
    maps, truth = np.zeros((1, 7, 7)), np.zeros((1, 7, 7), dtype=bool)
    truth[0, 3, 3] = True
    maps[0, 3 + distance, 3 - distance] = 1.0
    for tolerance in range(3):
        assert band.tf_pointing(maps, truth, tolerance=tolerance) == float(tolerance >= distance)


def test_the_profile_correlation_reads_the_frequency_axis_alone() -> None:
    truth = np.zeros((1, 3, 4), dtype=bool)
    truth[0, 1, :2] = True
    moved = np.zeros((1, 3, 4))
    moved[0, 1, 2:] = 1.0
    assert band.profile_corr(moved, truth) == pytest.approx(1.0)
    assert band.profile_corr(np.ones((1, 3, 4)), truth) == 0.0


def test_a_constant_map_has_no_correlation_whatever_its_value() -> None:
    changed = np.random.default_rng(0).random((1, 3, 4))
    for value in (0.0, 0.1, 1e6):
        assert causal.swap_corr(np.full((1, 3, 4), value), changed) == 0.0


def test_instruments_without_a_value_are_left_out_and_an_item_without_any_is_undefined() -> None:
    maps = np.array([[[0.9, 0.1]], [[0.9, 0.1]]])
    truth = np.array([[[True, False]], [[True, True]]])
    assert band.tf_ap(maps, truth) == 1.0
    with pytest.raises(UndefinedError, match="everywhere or nowhere"):
        band.tf_ap(maps, np.ones_like(truth))
    with pytest.raises(UndefinedError, match="profile is flat"):
        band.profile_corr(maps, truth)
    with pytest.raises(UndefinedError, match="no instrument"):
        band.f1(truth, np.zeros_like(truth))
    with pytest.raises(UndefinedError, match="changes no cell"):
        causal.swap_corr(maps, np.zeros_like(maps))


def test_the_band_is_the_shortest_that_holds_the_energy() -> None:
    mel = np.full((6, 2), -20.0)
    mel[[0, 2, 3, 5]] = np.log([[0.2], [1.0], [0.9], [0.2]])
    assert band.sounding(mel).any(1).tolist() == [False, False, True, True, False, False]
    assert band.sounding(mel, held=1.0).any(1).tolist() == [True, False, True, True, False, True]


def test_cells_below_the_level_do_not_sound() -> None:
    levels = np.array([[0.0, -39.0, -41.0]]) / 20 * np.log(10)
    assert band.sounding(levels).tolist() == [[True, True, False]]


@given(seed=SEEDS, gain=st.floats(-8, 8))
def test_where_an_instrument_sounds_does_not_depend_on_how_loud_it_is(seed: int, gain: float) -> None:
    mel = np.random.default_rng(seed).normal(-4, 2, (8, 5))
    assert (band.sounding(mel) == band.sounding(mel + gain)).all()


def test_deletion_counts_what_the_judge_heard_before() -> None:
    before = [0.9, 0.8, 0.3]
    after = [[0.1, 0.7, 0.9], [0.9, 0.2, 0.9], [0.0, 0.0, 0.0]]
    assert causal.deletion_drop(before, after) == pytest.approx((0.8 + 0.6) / 2)
    assert causal.deletion_others(before, after) == pytest.approx((0.1 + 0.0) / 2)
    assert causal.deletion_noise(before, [0.5, 0.8, 0.9]) == pytest.approx(0.2)


def test_deletion_is_undefined_where_the_judge_hears_too_little() -> None:
    with pytest.raises(UndefinedError, match="none of the named"):
        causal.deletion_drop([0.5], [[0.1]])
    with pytest.raises(UndefinedError, match="no second"):
        causal.deletion_others([0.9, 0.5], np.zeros((2, 2)))
    with pytest.raises(ValueError, match=r"after must be \[2, 2\]"):
        causal.deletion_drop([0.9, 0.5], np.zeros((2, 3)))


def test_shapes_that_do_not_agree_are_refused() -> None:
    maps, truth = drawn(0)
    for metric in (band.tf_ap, band.tf_iou, band.tf_pointing, band.profile_corr, causal.swap_corr):
        with pytest.raises(ValueError, match="shapes must be equal"):
            metric(maps, truth[:, :3])
    with pytest.raises(ValueError, match="3 dimensions"):
        band.tf_iou(truth[0], truth[0])
