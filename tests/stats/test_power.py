import numpy as np
import pytest
from scipy.stats import norm

from earwitness.stats.paired import sign_flip, standard_error
from earwitness.stats.power import smallest_detectable


@pytest.mark.parametrize(("clusters", "level"), [(30, 0.05), (200, 0.05), (200, 0.01)])
def test_a_drop_of_that_size_is_proven_about_80_percent_of_the_time(clusters: int, level: float) -> None:
    random = np.random.default_rng(1)
    drop = smallest_detectable(np.array([1 / np.sqrt(clusters)]), np.array([clusters]), np.array([level]))[0]
    sums = random.normal(-drop, 1.0, size=(clusters, 1500))
    assert (sign_flip(sums, draws=4000).below < level).mean() == pytest.approx(0.8, abs=0.035)


def test_the_size_estimated_from_the_items_scatters_around_the_true_one() -> None:
    values = np.random.default_rng(2).normal(size=(200, 500))
    errors = standard_error(values, np.arange(200))
    found = smallest_detectable(errors, np.full(500, 200), np.full(500, 0.05))
    assert found.mean() == pytest.approx((norm.ppf(0.95) + norm.ppf(0.8)) / np.sqrt(200), rel=0.02)


def test_four_clusters_can_prove_nothing_at_5_percent_and_five_can() -> None:
    found = smallest_detectable(np.array([1.0, 1.0]), np.array([4, 5]), np.array([0.05, 0.05]))
    assert np.isinf(found).tolist() == [True, False]
    assert sign_flip(np.ones((4, 1))).above[0] >= 0.05
    assert sign_flip(np.ones((5, 1))).above[0] < 0.05
