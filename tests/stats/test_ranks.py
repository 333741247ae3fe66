import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earwitness.stats.intervals import Sampling, mean_interval
from earwitness.stats.ranks import agreement, rank, ranks


def entrants(means: list[float], seed: int, items: int = 80) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.array(means) + random.normal(size=(items, 1)) + 0.5 * random.normal(size=(items, len(means)))


def ranked(data: np.ndarray, draws: int = 500):
    found = mean_interval(data, np.arange(len(data)), Sampling(draws=draws))
    return ranks(found.value, found.draws)


def test_well_separated_entrants_have_ranks_without_doubt():
    found = ranked(entrants([3.0, 1.0, 2.0], seed=0))
    assert found.rank.tolist() == found.low.tolist() == found.high.tolist() == [1, 3, 2]
    assert found.group.tolist() == [1, 3, 2]


def test_entrants_that_cannot_be_told_apart_share_a_group_and_a_rank_interval():
    found = ranked(entrants([2.0, 0.0, 0.0], seed=1))
    assert found.low.tolist() == [1, 2, 2]
    assert found.high.tolist() == [1, 3, 3]
    assert found.group.tolist() == [1, 2, 2]


def test_scores_that_few_clusters_have_leave_their_doubt():
    data = np.full((12, 3), np.nan)
    data[:3] = entrants([1.0, 1.1, 1.2], seed=4, items=3)
    found = mean_interval(data, np.arange(12), Sampling(draws=500))
    assert np.isnan(found.draws).any()
    placed = ranks(found.value, found.draws)
    assert (placed.high - placed.low).max() > 0
    assert placed.group.tolist() == [1, 1, 1]


def test_identical_entrants_tie():
    data = entrants([1.0], seed=0)
    found = ranked(np.concatenate([data, data], axis=1))
    assert found.rank.tolist() == [1, 1]
    assert found.low.tolist() == [1, 1]
    assert found.high.tolist() == [2, 2]


def test_a_rank_interval_covers_the_true_rank_at_least_95_percent_of_the_time_also_among_near_ties():
    means = [0.3, 0.25, 0.2, 0.0]
    truth = rank(np.array(means))
    covered = []
    for seed in range(300):
        found = ranked(entrants(means, seed), draws=300)
        covered.append((found.low <= truth) & (truth <= found.high))
    assert (np.mean(covered, axis=0) >= 0.93).all()


def test_among_equal_entrants_groups_are_split_no_more_often_than_the_level_allows():
    split = [bool((ranked(entrants([0.0] * 4, seed), draws=800).group > 1).any()) for seed in range(1000, 1200)]
    assert np.mean(split) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / len(split))


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(5)), st.integers(0, 100))
def test_permuting_entrants_relabels_ranks(order, seed):
    data = entrants([0.5, 0.4, 0.0, 0.3, 0.1], seed, items=30)
    plain, moved = ranked(data, 200), ranked(data[:, list(order)], 200)
    for field in ("rank", "low", "high", "group"):
        assert getattr(moved, field).tolist() == [getattr(plain, field)[entrant] for entrant in order]


@settings(max_examples=25, deadline=None)
@given(st.floats(0.01, 100), st.floats(-10, 10), st.integers(0, 100))
def test_an_affine_change_of_the_score_leaves_ranks(factor, shift, seed):
    data = entrants([0.5, 0.4, 0.0, 0.3, 0.1], seed, items=30)
    plain, moved = ranked(data, 200), ranked(factor * data + shift, 200)
    for field in ("rank", "low", "high", "group"):
        assert getattr(moved, field).tolist() == getattr(plain, field).tolist()


def test_scores_that_differ_by_rounding_alone_share_a_rank():
    assert rank(np.array([0.1 + 0.2, 0.3, 0.0])).tolist() == [1, 1, 3]


def test_rank_intervals_hold_the_rank():
    found = ranked(entrants([0.1, 0.0, 0.05, 0.2], seed=9))
    assert (found.low <= found.rank).all()
    assert (found.rank <= found.high).all()


def test_agreement_is_1_for_the_same_order_and_minus_1_for_the_opposite():
    scores = np.array([0.1, 0.5, 0.3])
    assert agreement(scores, 2 * scores) == pytest.approx(1)
    assert agreement(scores, -scores) == pytest.approx(-1)
