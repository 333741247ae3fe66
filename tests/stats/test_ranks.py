from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earwitness.stats.ranks import agreement, chance, first, ranks, unrelated
from earwitness.stats.verdicts import Order, order

FIELDS = ("place", "low", "high", "group")


def entrants(means: list[float], seed: int, items: int = 80) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.array(means) + random.normal(size=(items, 1)) + 0.5 * random.normal(size=(items, len(means)))


def ranked(data: np.ndarray, clusters: np.ndarray | None = None):
    return ranks(order(data, data, np.arange(len(data)) if clusters is None else clusters), data.mean(axis=0))


def test_well_separated_entrants_have_ranks_without_doubt():
    found = ranked(entrants([3.0, 1.0, 2.0], seed=0))
    for field in FIELDS:
        assert getattr(found, field).tolist() == [1, 3, 2]


def test_entrants_that_are_not_told_apart_share_a_place_a_group_and_a_range():
    found = ranked(entrants([2.0, 0.0, 0.0], seed=1))
    assert found.place.tolist() == [1, 2, 2]
    assert found.low.tolist() == [1, 2, 2]
    assert found.high.tolist() == [1, 3, 3]
    assert found.group.tolist() == [1, 2, 2]


def test_groups_are_parted_only_where_all_above_are_better_than_all_below():
    # The first and the last are told apart, neither from the one between: no line between them holds.
    better = np.zeros((4, 4), dtype=bool)
    better[0, 2] = True
    better[:3, 3] = True
    found = ranks(Order(better, True), np.array([3.0, 2.0, 1.0, 0.0]))
    assert found.group.tolist() == [1, 1, 1, 2]
    assert found.place.tolist() == [1, 1, 1, 4]
    assert (found.low.tolist(), found.high.tolist()) == ([1, 1, 2, 4], [2, 3, 3, 4])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=5, max_size=5), st.permutations(range(5)))
def test_a_group_is_the_smallest_block_that_wins_every_verdict_below(flags, scores):
    better = np.triu(np.array(flags), 1)[np.ix_(scores, scores)]
    values = np.array([-float(score) for score in scores])
    found = ranks(Order(better, True), values)
    walked = np.argsort(-values)
    cuts = [at for at in range(1, 5) if better[np.ix_(walked[:at], walked[at:])].all()]
    assert [int(found.group[walked[at]]) for at in range(5)] == [1 + sum(cut <= at for cut in cuts) for at in range(5)]


def test_identical_entrants_tie():
    data = entrants([1.0], seed=0)
    found = ranked(np.concatenate([data, data], axis=1))
    assert found.place.tolist() == found.low.tolist() == [1, 1]
    assert found.high.tolist() == [2, 2]


def test_the_probability_of_being_first_is_shared_by_ties():
    draws = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0], [np.nan, 2.0, 0.0], [0.0, 1.0, 0.0]])
    assert first(draws) == pytest.approx([1 / 3, 0.5, 1 / 6])


def test_a_tau_by_chance_is_what_exchanging_tied_entrants_gives():
    rng = np.random.default_rng(0)
    base = rng.normal(size=(80, 8))
    before, after = base + rng.normal(size=(80, 8)), base + rng.normal(size=(80, 8))
    clusters, tied = np.arange(80), np.ones(8, dtype=np.int64)
    low, high = chance(before, after, tied, clusters, 0.95)
    # Half of the noise is shared: orders agree by chance, but not much.
    assert -0.5 < low < 0.35 < high <= 1
    parted = before + 5 * np.arange(8)
    assert np.isnan(chance(parted, parted, np.arange(1, 9), clusters, 0.95)).all()
    low, high = chance(
        before + 5 * (np.arange(8) > 3), after + 5 * (np.arange(8) > 3), 2 - (np.arange(8) > 3), clusters, 0.95
    )
    assert 0.2 < low < high <= 1, "who is parted stays parted"


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(5)), st.integers(0, 100))
def test_permuting_entrants_relabels_ranks(moved, seed):
    data = entrants([0.5, 0.4, 0.0, 0.3, 0.1], seed, items=30)
    plain, found = ranked(data), ranked(data[:, list(moved)])
    for field in FIELDS:
        assert getattr(found, field).tolist() == [getattr(plain, field)[entrant] for entrant in moved]


@settings(max_examples=25, deadline=None)
@given(st.floats(0.01, 100), st.floats(-10, 10), st.integers(0, 100))
def test_an_affine_change_of_the_score_leaves_ranks(factor, shift, seed):
    data = entrants([0.5, 0.4, 0.0, 0.3, 0.1], seed, items=30)
    plain, moved = ranked(data), ranked(factor * data + shift)
    for field in FIELDS:
        assert getattr(moved, field).tolist() == getattr(plain, field).tolist()


def test_agreement_is_1_for_the_same_order_and_minus_1_for_the_opposite():
    scores = np.array([0.1, 0.5, 0.3])
    assert agreement(scores, 2 * scores) == pytest.approx(1)
    assert agreement(scores, -scores) == pytest.approx(-1)


def test_without_relation_tau_lies_where_all_namings_of_four_entrants_put_it():
    scores = np.array([0.1, 0.4, 0.2, 0.9])
    every = [agreement(scores, np.array(named)) for named in permutations(scores)]
    found = unrelated(scores, scores[::-1], 0.8)
    assert found == tuple(np.quantile(every, [0.1, 0.9]))
    assert found[0] == -found[1]


@pytest.mark.filterwarnings("error")
def test_by_chance_there_is_no_agreement_where_all_are_ties():
    ties = np.zeros((6, 3))
    assert np.isnan(chance(ties, ties, np.zeros(3, dtype=np.int64), np.arange(6), 0.95)).all()
