import numpy as np
import pytest

from earwitness.stats.composite import AIM, MOST, balanced, variance_shares


def entrants(spreads: list[float], seed: int, correlated: float = 0.5, count: int = 9) -> np.ndarray:
    """Parts [E, H] that spread so much, and go together so far."""
    random = np.random.default_rng(seed)
    shared, own = random.normal(size=(count, 1)), random.normal(size=(count, len(spreads)))
    return np.array(spreads) * (np.sqrt(correlated) * shared + np.sqrt(1 - correlated) * own)


def test_shares_are_covariances_with_the_score_over_its_variance_and_add_up_to_1():
    parts, weights = entrants([1.0, 0.3, 0.1], 1), np.array([0.2, 0.5, 0.3])
    score = parts @ weights
    expected = [np.cov(parts[:, h] * weights[h], score)[0, 1] / score.var(ddof=1) for h in range(3)]
    assert variance_shares(parts, weights) == pytest.approx(expected)
    assert variance_shares(parts, weights).sum() == pytest.approx(1)
    assert variance_shares(parts) == pytest.approx(variance_shares(parts, np.full(3, 7.0)))


def test_equal_weights_stay_where_no_part_decides():
    parts = np.repeat(entrants([1.0], 2), 4, axis=1) * [1.0, 1.1, 0.9, 1.0]
    assert balanced(parts) == pytest.approx(np.full(4, 0.25))


@pytest.mark.parametrize("spreads", [[1, 0.2, 0.2], [1, 1, 0.05], [3, 0.1, 0.1, 0.1], [5, 1, 0.2, 0.2, 0.2]])
def test_no_share_exceeds_the_aim_under_the_balanced_weights(spreads):
    for seed in range(20):
        parts = entrants(spreads, seed)
        weights = balanced(parts)
        assert weights.sum() == pytest.approx(1)
        assert (weights > 0).all()
        assert variance_shares(parts, weights).max() <= AIM + 1e-6
        assert variance_shares(parts).max() > AIM, "equal weights would not do"


def test_only_the_part_that_decides_is_lowered():
    weights = balanced(entrants([1, 0.2, 0.2, 0.2], 0, correlated=0.8))
    assert weights[0] < weights[1]
    assert weights[1:] == pytest.approx(np.full(3, weights[1]))


def test_parts_that_contradict_each_other_end_in_weights_that_are_told():
    one = entrants([1.0], 3)
    weights = balanced(np.concatenate([one, -one, 0.1 * entrants([1.0], 4)], axis=1))
    assert np.isfinite(weights).all()
    assert weights.sum() == pytest.approx(1)


@pytest.mark.parametrize("parts", [np.zeros((5, 3)), entrants([1.0, 0.1], 1), entrants([1, 0.1, 0.1], 1, count=2)])
def test_nothing_is_balanced_where_nothing_can_be(parts):
    assert balanced(parts) == pytest.approx(np.full(parts.shape[1], 1 / parts.shape[1]))
    assert MOST > AIM
