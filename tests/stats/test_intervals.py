import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earwitness.stats.intervals import Resampling, interval, mean_interval, mean_of, numbered, weights
from earwitness.stats.paired import paired_difference

SMALL = Resampling(draws=400)


def coverage(columns: np.ndarray, truth: float, clusters: np.ndarray, method: str) -> float:
    """Share of simulated data sets (columns) whose interval holds the truth; all share one set of weights."""
    found = mean_interval(columns, clusters, Resampling(draws=1000, seed=3, method=method))
    return float(((found.low <= truth) & (truth <= found.high)).mean())


@pytest.mark.parametrize("method", ["bca", "percentile"])
@pytest.mark.parametrize(("shape", "truth"), [("normal", 0.0), ("beta", 2 / 7), ("uniform", 0.5)])
def test_a_95_percent_interval_of_a_mean_covers_the_truth_93_to_97_percent_of_the_time(method, shape, truth):
    random = np.random.default_rng(11)
    size = (100, 3000)
    columns = {
        "normal": random.normal(size=size),
        "beta": random.beta(2, 5, size=size),
        "uniform": random.uniform(size=size),
    }[shape]
    assert 0.93 <= coverage(columns, truth, np.arange(100), method) <= 0.97


def test_with_25_clusters_the_interval_still_covers_93_to_97_percent():
    columns = np.random.default_rng(5).normal(size=(25, 3000))
    assert 0.93 <= coverage(columns, 0.0, np.arange(25), "percentile") <= 0.97


@pytest.mark.parametrize("seen", [6, 12])
def test_a_column_of_few_of_the_clusters_still_covers_the_truth(seen):
    """Some draws have none of them, and tails are those of as many clusters as the column has."""
    columns = np.full((18, 3000), np.nan)
    columns[:seen] = np.random.default_rng(6).normal(size=(seen, 3000))
    assert 0.93 <= coverage(columns, 0.0, np.arange(18), "percentile") <= 0.98
    found = mean_interval(columns, np.arange(18), SMALL)
    assert (found.low < found.value).all()
    assert (found.value < found.high).all()


def test_a_column_of_one_of_the_clusters_has_no_interval():
    found = mean_interval(np.array([[0.5, 1.0], [np.nan, 2.0], [np.nan, 4.0]]), np.arange(3), SMALL)
    assert found.value.tolist() == pytest.approx([0.5, 7 / 3])
    assert np.isnan([found.low[0], found.high[0]]).all()
    assert np.isfinite([found.low[1], found.high[1]]).all()


def test_items_of_one_cluster_count_as_one_and_ignoring_that_covers_far_too_rarely():
    random = np.random.default_rng(2)
    shared = np.repeat(random.normal(size=(60, 2000)), 4, axis=0)
    columns = shared + 0.3 * random.normal(size=shared.shape)
    assert 0.93 <= coverage(columns, 0.0, np.repeat(np.arange(60), 4), "bca") <= 0.97
    assert coverage(columns, 0.0, np.arange(240), "bca") < 0.8


def test_a_paired_difference_is_sharper_than_the_two_means_when_items_share_their_difficulty():
    random = np.random.default_rng(0)
    difficulty = random.normal(size=100)
    first, second = (difficulty + 0.1 * random.normal(size=100) + shift for shift in (0.1, 0.0))
    difference = paired_difference(first, second, np.arange(100))
    alone = mean_interval(first, np.arange(100))
    assert difference.low > 0
    assert difference.high - difference.low < (alone.high - alone.low) / 4


def test_the_mean_of_weighted_clusters_is_the_mean_of_their_items():
    values, clusters = np.array([1.0, 3.0, 8.0]), np.array([0, 0, 1])
    mean = mean_of(values, clusters)
    assert mean(np.array([[1.0, 1.0], [2.0, 0.0], [1.0, 2.0]])).tolist() == [4.0, 2.0, 5.0]


def test_an_item_that_a_column_lacks_is_left_out_of_its_mean():
    values = np.array([[1.0, 1.0], [3.0, np.nan]])
    assert mean_of(values, np.array([0, 1]))(np.ones((1, 2))).tolist() == [[2.0, 1.0]]


def test_bootstrap_weights_draw_as_many_clusters_as_there_are():
    drawn = weights(7, SMALL)
    assert drawn.shape == (400, 7)
    assert (drawn.sum(axis=1) == 7).all()


def test_one_cluster_has_no_interval():
    found = mean_interval(np.array([1.0, 2.0]), np.array([0, 0]))
    assert found.value == 1.5
    assert np.isnan(found.low)
    assert np.isnan(found.high)


def test_a_constant_has_an_interval_of_no_width():
    found = mean_interval(np.full(20, 0.25), np.arange(20))
    assert (found.low, found.value, found.high) == (0.25, 0.25, 0.25)


def test_clusters_are_numbered_by_name():
    assert numbered(["p2", "p1", "p2"]).tolist() == [1, 0, 1]


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.floats(-10, 10), min_size=5, max_size=30),
    st.floats(0.1, 5),
    st.floats(-5, 5),
    st.sampled_from(["bca", "percentile"]),
)
def test_an_interval_follows_a_change_of_unit(values, factor, shift, method):
    data, clusters = np.round(np.array(values), 3), np.arange(len(values))
    sampling = Resampling(draws=200, method=method)
    plain = mean_interval(data, clusters, sampling)
    moved = mean_interval(factor * data + shift, clusters, sampling)
    width = 1e-6 + 0.02 * float(plain.high - plain.low)
    assert moved.low == pytest.approx(factor * plain.low + shift, abs=factor * width)
    assert moved.high == pytest.approx(factor * plain.high + shift, abs=factor * width)


def test_the_same_seed_gives_the_same_interval():
    data = np.random.default_rng(1).normal(size=(30, 2))
    first, second = (interval(mean_of(data, np.arange(30)), 30, SMALL) for _ in range(2))
    assert (first.low == second.low).all()
    assert (first.draws == second.draws).all()
