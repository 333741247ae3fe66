from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest, ttest_1samp

from earwitness.stats.flips import EXACT
from earwitness.stats.intervals import Resampling, numbered
from earwitness.stats.paired import (
    cluster_sums,
    paired_difference,
    relative_change,
    sign_flip,
    standard_error,
)


def literal_tails(sums: np.ndarray) -> tuple[float, float]:
    """Both p-values of one column by going through every assignment of signs."""
    every = [float(np.dot(signs, sums)) for signs in product((1, -1), repeat=len(sums))]
    seen = sums.sum()
    return float(np.mean([s <= seen + 1e-9 for s in every])), float(np.mean([s >= seen - 1e-9 for s in every]))


def test_three_gains_of_three_are_as_likely_as_one_in_eight() -> None:
    found = sign_flip(np.array([[1.0], [2.0], [3.0]]))
    assert (found.above[0], found.below[0]) == (1 / 8, 1.0)


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_the_exact_test_is_the_literal_count_of_every_sign(values: list[int]) -> None:
    sums = np.array(values, dtype=float)
    found = sign_flip(sums[:, None])
    assert (found.below[0], found.above[0]) == pytest.approx(literal_tails(sums))


def test_drawn_signs_agree_with_every_sign() -> None:
    sums = np.random.default_rng(0).normal(0.3, 1.0, size=(EXACT + 1, 2))
    found = sign_flip(sums, draws=40_000)
    for column in range(2):
        below, above = literal_tails(sums[:, column])
        assert found.below[column] == pytest.approx(below, abs=0.01)
        assert found.above[column] == pytest.approx(above, abs=0.01)


def test_clusters_of_zeros_change_nothing_and_leave_few_clusters_exact() -> None:
    few = np.random.default_rng(1).normal(0.5, 1.0, size=(10, 1))
    padded = np.concatenate([few, np.zeros((500, 1))])
    assert sign_flip(padded).above == sign_flip(few).above


def test_nothing_but_zeros_proves_nothing() -> None:
    found = sign_flip(np.zeros((50, 1)))
    assert (found.below[0], found.above[0]) == (1.0, 1.0)


def test_turning_all_signs_swaps_the_tails() -> None:
    sums = np.random.default_rng(2).normal(0.2, 1.0, size=(60, 4))
    one, other = sign_flip(sums, draws=20_000), sign_flip(-sums, draws=20_000)
    assert one.below == pytest.approx(other.above)
    assert one.above == pytest.approx(other.below)


def test_a_planted_gain_of_all_of_200_clusters_has_the_smallest_p_that_draws_can_show() -> None:
    assert sign_flip(np.ones((200, 1)), draws=999).above[0] == 1 / 1000


@pytest.mark.parametrize("clusters", [10, 60])
def test_p_values_are_uniform_where_nothing_changed(clusters: int) -> None:
    sums = np.random.default_rng(3).normal(size=(clusters, 4000))
    assert kstest(sign_flip(sums, draws=4000).below, "uniform").pvalue > 0.01


def test_the_test_is_about_as_strong_as_a_t_test_on_normal_differences() -> None:
    sums = np.random.default_rng(4).normal(0.25, 1.0, size=(100, 1500))
    ours = (sign_flip(sums, draws=4000).above < 0.05).mean()
    theirs = (ttest_1samp(sums, 0.0, alternative="greater").pvalue < 0.05).mean()
    assert ours == pytest.approx(theirs, abs=0.02)


def test_items_of_one_cluster_are_flipped_together_or_false_alarms_come_too_often() -> None:
    random = np.random.default_rng(5)
    shared = np.repeat(random.normal(size=(40, 1500)), 5, axis=0) + 0.3 * random.normal(size=(200, 1500))
    together = sign_flip(cluster_sums(shared, np.repeat(np.arange(40), 5)), draws=2000)
    alone = sign_flip(shared, draws=2000)
    assert (together.below < 0.05).mean() <= 0.065
    assert (alone.below < 0.05).mean() > 0.15


def test_cluster_sums_add_the_items_of_a_cluster_and_skip_those_that_are_missing() -> None:
    values = np.array([[1.0, np.nan], [2.0, 5.0], [4.0, 7.0]])
    assert cluster_sums(values, np.array([0, 0, 1])).tolist() == [[3.0, 5.0], [4.0, 7.0]]


def test_the_standard_error_of_items_without_clusters_is_the_textbooks() -> None:
    values = np.array([[1.0], [2.0], [4.0], [9.0]])
    assert standard_error(values, np.arange(4)) == pytest.approx(values.std(ddof=1) / 2)


def test_the_standard_error_is_the_bootstraps_for_clusters_of_unequal_sizes() -> None:
    random = np.random.default_rng(6)
    clusters = np.repeat(np.arange(80), random.integers(1, 6, 80))
    values = (random.normal(size=80)[clusters] + random.normal(size=len(clusters)))[:, None]
    values[::7] = np.nan
    draws = paired_difference(values, 0 * values, clusters, Resampling(draws=4000)).draws
    assert standard_error(values, clusters)[0] == pytest.approx(draws.std(), rel=0.06)


def test_a_standard_error_needs_two_clusters() -> None:
    assert np.isnan(standard_error(np.array([[1.0], [2.0]]), np.array([0, 0]))).all()


def test_a_relative_change_is_the_change_over_the_size_of_the_second_mean() -> None:
    second = np.array([-1.0, -3.0, np.nan])
    first = second + np.array([0.5, 0.5, 1.0])
    assert relative_change(first, second, np.arange(3)).value == pytest.approx(0.25)


def test_an_interval_of_a_relative_change_covers_it_93_to_97_percent_of_the_time() -> None:
    random = np.random.default_rng(7)
    second = random.normal(1.0, 0.3, size=(150, 1500))
    first = second - 0.05 + random.normal(0, 0.1, size=second.shape)
    found = relative_change(first, second, np.arange(150), Resampling(draws=600))
    assert 0.93 <= float(((found.low <= -0.05) & (found.high >= -0.05)).mean()) <= 0.97


def test_names_of_clusters_may_be_renamed() -> None:
    sums = np.random.default_rng(8).normal(size=(12, 1))
    names = [f"{chr(97 + i % 6)}" for i in range(12)]
    renamed = [{"a": "z"}.get(name, name) for name in names]
    first, second = (sign_flip(cluster_sums(sums, numbered(some))) for some in (names, renamed))
    assert first.below == second.below
