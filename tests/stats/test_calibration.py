import numpy as np
import pytest

from earwitness.stats.calibration import calibrated, calibrated_interval, scale, touch
from earwitness.stats.intervals import Interval, Resampling, mean_interval

CLUSTERS = np.arange(100)


def ends(low: float, high: float) -> Interval:
    return Interval(np.array((low + high) / 2), np.array(low), np.array(high), np.empty(0))


def sample(mean: float, seed: int, spread: float = 0.1) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, spread, size=100)


def test_the_floor_calibrates_to_exactly_0_and_the_ceiling_to_exactly_1():
    floor, ceiling = sample(0.2, 1), sample(0.8, 2)
    found = calibrated_interval(np.stack([floor, ceiling], axis=1), floor, ceiling, CLUSTERS)
    assert found.value == pytest.approx([0, 1])
    assert found.low == pytest.approx([0, 1])
    assert found.high == pytest.approx([0, 1])


def test_half_way_between_floor_and_ceiling_is_one_half_whatever_the_direction():
    for low, high in ((0.2, 0.8), (0.8, 0.2)):
        floor, ceiling = np.full(10, low), np.full(10, high)
        middle = np.full((10, 1), 0.5)
        assert calibrated_interval(middle, floor, ceiling, np.arange(10)).value == pytest.approx([0.5])


def test_a_ceiling_of_some_items_sets_the_scale_of_all():
    floor, ceiling = np.array([0.0, 0.0]), np.array([2.0, np.nan])
    found = calibrated(np.array([[1.0], [2.0]]), floor, ceiling, np.array([0, 1]))
    assert found(np.ones((1, 2)))[0] == pytest.approx([0.75])


def test_a_ceiling_of_other_items_may_set_the_scale():
    floor = np.array([0.0, 0.2])
    found = calibrated(
        np.array([[0.5], [0.5]]), floor, np.full(2, np.nan), np.array([0, 1]), lambda w: np.full((len(w), 1), 1.1)
    )
    assert found(np.ones((1, 2)))[0] == pytest.approx([0.4])


def test_a_ceiling_that_touches_the_floor_is_uninformative():
    floor = mean_interval(sample(0.5, 1), CLUSTERS)
    assert not scale(floor, mean_interval(sample(0.51, 2), CLUSTERS), "higher").informative
    assert scale(floor, mean_interval(sample(0.7, 2), CLUSTERS), "higher").informative


def test_a_ceiling_on_the_wrong_side_of_the_floor_is_uninformative():
    floor, ceiling = mean_interval(sample(0.5, 1), CLUSTERS), mean_interval(sample(0.7, 2), CLUSTERS)
    assert not scale(floor, ceiling, "lower").informative
    assert not scale(floor, ceiling, "none").informative


def test_intervals_touch_when_they_share_an_end_and_when_one_has_no_ends():
    assert touch(ends(0, 1), ends(1, 2))
    assert not touch(ends(0, 1), ends(1.01, 2))
    assert touch(ends(0, 1), ends(np.nan, np.nan))


def test_a_95_percent_interval_of_a_calibrated_value_covers_the_truth_as_often_as_it_says():
    random = np.random.default_rng(4)
    covered = []
    for trial in range(300):
        difficulty = random.normal(size=100)
        floor, ceiling = difficulty + random.normal(0.0, 0.5, 100), difficulty + random.normal(1.0, 0.5, 100)
        values = (difficulty + random.normal(0.6, 0.5, 100))[:, None]
        found = calibrated_interval(values, floor, ceiling, CLUSTERS, Resampling(draws=400, seed=trial))
        covered.append(found.low[0] <= 0.6 <= found.high[0])
    assert 0.92 <= np.mean(covered) <= 0.98
