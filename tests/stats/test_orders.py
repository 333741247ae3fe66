"""Kendall's tau of two orders, held against scipy, against all orders one by one, and against simulated scorings."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau

from earwitness.stats.intervals import Resampling
from earwitness.stats.orders import halves, random_tau, tau_of, tau_spread, taus

QUICK = Resampling(draws=400)
ENTRANTS, ITEMS = 8, 60


def scoring(means: np.ndarray, seed: int, items: int = ITEMS) -> np.ndarray:
    """Scores [N, E] whose noise has ten times the smallest distance of the means."""
    return means + np.random.default_rng(seed).normal(size=(items, len(means)))


STEPS = 0.1 * np.arange(ENTRANTS)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=9))
def test_tau_is_scipys_ties_included(scores: list[tuple[int, int]]) -> None:
    first, second = np.array(scores, dtype=float).T
    expected = kendalltau(first, second).statistic
    np.testing.assert_allclose(taus(first[None], second[None])[0], expected, atol=1e-12)


def test_scores_that_differ_by_rounding_are_ties() -> None:
    first, second = np.array([[0.0, 1e-15, 1.0]]), np.array([[0.0, 1.0, 2.0]])
    assert taus(first, second)[0] == pytest.approx(2 / np.sqrt(6))


@pytest.mark.parametrize("entrants", [2, 3, 4, 5, 6, 7])
@pytest.mark.parametrize("level", [0.5, 0.9, 0.95])
def test_the_point_of_random_orders_is_that_of_all_orders_one_by_one(entrants: int, level: float) -> None:
    orders = np.array(list(permutations(range(entrants))), dtype=float)
    every = np.abs(taus(np.tile(np.arange(entrants), (len(orders), 1)).astype(float), orders))
    values = np.unique(every.round(9))
    expected = next(value for value in values if (every <= value + 1e-9).mean() >= level - 1e-12)
    assert random_tau(entrants, level) == pytest.approx(expected)


def test_the_point_of_many_entrants_is_near_that_of_a_normal_tau() -> None:
    n = 40
    assert random_tau(n) == pytest.approx(1.96 * np.sqrt(2 * (2 * n + 5) / (9 * n * (n - 1))), abs=0.01)


def test_the_interval_holds_the_mean_tau_of_as_many_items() -> None:
    other = STEPS[[1, 0, 2, 3, 5, 4, 6, 7]]
    seeds = range(0, 240, 2)
    found = [(scoring(STEPS, seed), scoring(other, seed + 1)) for seed in seeds]
    average = np.mean([tau_of(*pair) for pair in found])
    spans = np.array([tau_spread(*pair, np.arange(ITEMS), QUICK) for pair in found])
    covered = ((spans[:, 0] <= average) & (average <= spans[:, 1])).mean()
    assert covered >= 0.93
    assert np.median(spans[:, 1] - spans[:, 0]) < 1.0


def test_items_of_one_cluster_are_drawn_together() -> None:
    first, second = scoring(STEPS, 0), scoring(STEPS, 1)
    alone = tau_spread(first, second, np.arange(ITEMS), QUICK)
    twice = tau_spread(np.repeat(first, 2, 0), np.repeat(second, 2, 0), np.repeat(np.arange(ITEMS), 2), QUICK)
    assert twice == pytest.approx(alone)


def test_the_interval_holds_what_was_seen() -> None:
    # With means so close, every resampled tau lies below the one that was seen.
    first = scoring(0.3 * STEPS, 3)
    low, high = tau_spread(first, first.mean(axis=0) + 0 * first, np.arange(ITEMS), QUICK)
    assert low < high == 1.0


def test_halves_of_one_model_agree_as_well_as_halves_of_two_that_are_alike() -> None:
    pairs = [(scoring(STEPS, seed), scoring(STEPS, seed + 1)) for seed in range(0, 40, 2)]
    found = [halves(*pair, np.arange(ITEMS), splits=40) for pair in pairs]
    own, across = (np.mean([getattr(each, name) for each in found]) for name in ("own", "across"))
    assert own == pytest.approx(across, abs=0.05)
    assert own < np.mean([tau_of(*pair) for pair in pairs]) - 0.05
    turned = halves(scoring(STEPS, 0), scoring(STEPS[::-1], 1), np.arange(ITEMS), splits=40)
    assert turned.across < 0 < turned.own


def test_items_of_one_cluster_are_never_in_both_halves() -> None:
    # Each cluster's second item undoes the first: cut apart, halves would disagree; together they tie.
    first = np.tile(np.array([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]), (10, 1))
    assert np.isnan(halves(first, first, np.repeat(np.arange(10), 2)).own)
    assert not np.isnan(halves(first, first, np.arange(20)).own)


def test_one_cluster_and_nothing_but_ties_say_nothing() -> None:
    first = scoring(STEPS, 0, items=3)
    assert np.isnan(tau_spread(first, first, np.zeros(3, np.int64), QUICK)).all()
    assert np.isnan(halves(first, first, np.zeros(3, np.int64)).own)
    assert np.isnan(tau_spread(0 * first, first, np.arange(3), QUICK)).all()
    assert random_tau(1) == 1.0
