"""The verdict engine against its literal version and cases by hand."""

from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest

from earwitness.stats import largest
from earwitness.stats.paired import coarsest, inflation, standard_error
from earwitness.stats.verdicts import Gains, Verdict, judged, order


def literal(columns: np.ndarray, level: float = 0.05) -> np.ndarray:
    """Step-down max-T on one-sided columns [C, K] of cluster sums: which are told, by every sign assignment."""
    scaled = columns / np.sqrt((columns**2).sum(axis=0))
    signs = np.array(list(itertools.product((1, -1), repeat=len(columns))))
    under, seen = signs @ scaled, scaled.sum(axis=0)
    told = np.zeros(columns.shape[1], dtype=bool)
    while True:
        largest = under[:, ~told].max(axis=1)
        more = [not told[k] and np.mean(largest >= seen[k] - 1e-9) < level for k in range(len(told))]
        if not any(more):
            return told
        told |= more


@pytest.mark.parametrize("seed", range(6))
def test_a_family_is_judged_as_the_literal_version_does(seed: int) -> None:
    random = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(9), random.integers(1, 4, 9))
    value = random.normal(np.linspace(-1.5, 1.5, 5), 1, (len(clusters), 5))
    found = judged(Gains.of(value), clusters)
    sums = np.array([value[clusters == number].sum(axis=0) for number in range(9)])
    told = literal(np.concatenate([sums, -sums], axis=1))
    assert (found.words == Verdict.BETTER).tolist() == told[:5].tolist()
    assert (found.words == Verdict.WORSE).tolist() == told[5:].tolist()
    assert ((found.p < 0.05) == (told[:5] | told[5:])).all()
    assert ((found.low > 0) == told[:5]).all()
    assert ((found.high < 0) == told[5:]).all()
    assert ((found.low <= found.effect) & (found.effect <= found.high)).all()
    assert found.effect == pytest.approx(value.mean(axis=0))


@pytest.mark.parametrize("seed", range(4))
def test_all_pairs_are_ordered_as_the_literal_version_does(seed: int) -> None:
    random = np.random.default_rng(seed)
    scores = np.array([0.0, 0.6, 1.2, 2.4]) + random.normal(size=(10, 1)) + 0.7 * random.normal(size=(10, 4))
    pairs = [(one, other) for one in range(4) for other in range(4) if one != other]
    told = literal(np.stack([scores[:, one] - scores[:, other] for one, other in pairs], axis=1))
    found = order(scores, scores, np.arange(10))
    assert [bool(found.better[pair]) for pair in pairs] == told.tolist()
    assert found.decidable


def test_six_clusters_that_agree_are_told_and_five_are_too_few() -> None:
    for count, word in ((6, Verdict.BETTER), (5, Verdict.TOO_FEW), (1, Verdict.TOO_FEW)):
        found = judged(Gains.of(np.full((count, 1), 0.3)), np.arange(count))
        assert found.words[0] == word
        assert found.p[0] == pytest.approx(2 / 2**count)
        scores = np.array([0.0, 0.3]) + np.zeros((count, 1))
        assert order(scores, scores, np.arange(count)).decidable == (word == Verdict.BETTER)


def test_figures_by_hand() -> None:
    value = np.array([0.3, 0.1, -0.1, 0.0, 0.2, 0.4, 0.1, 0.2])[:, None]
    found = judged(Gains.of(value), np.arange(8))
    assert (found.effect[0], found.improvement[0]) == (pytest.approx(0.15), pytest.approx(6.5 / 8))
    assert (found.items[0], found.clusters[0], found.family) == (8, 8, 1)
    # 7 differ from 0; of their signs only those that sum to at least 1.2 of 1.4 count: all, and -0.1 with either sign.
    assert found.p[0] == pytest.approx(2 * 4 / 2**7)
    # Four times the items see half the difference.
    more = judged(Gains.of(np.tile(value, (4, 1))), np.arange(32))
    assert found.smallest[0] / more.smallest[0] == pytest.approx(2, rel=0.35)
    assert found.needed[0] == np.ceil(8 * (found.smallest[0] / 0.15) ** 2)


def test_what_is_equal_everywhere_is_equivalent_where_a_margin_is_stated() -> None:
    nothing = Gains.of(np.zeros((20, 2)))
    found = judged(nothing, np.arange(20), np.array([0.01, np.nan]))
    assert found.words.tolist() == [Verdict.EQUIVALENT, Verdict.NOT_TOLD]
    assert (found.low.tolist(), found.high.tolist(), found.p.tolist()) == ([0, 0], [0, 0], [1, 1])
    near = Gains.of(np.random.default_rng(0).normal(0, 0.1, (100, 1)))
    for margin, word in ((0.06, Verdict.EQUIVALENT), (0.02, Verdict.NOT_TOLD)):
        found = judged(near, np.arange(100), np.array([margin]))
        assert found.words[0] == word
        assert (max(-found.low[0], found.high[0]) < margin) == (word == Verdict.EQUIVALENT)


def test_one_item_that_differs_does_not_make_an_interval_narrow() -> None:
    value = np.zeros((50, 1))
    value[0] = 1.0
    found = judged(Gains.of(value), np.arange(50), np.array([0.05]))
    assert found.words[0] == Verdict.NOT_TOLD
    assert found.low[0] < 0 < 0.055 < found.high[0]


def test_nobody_s_metric_and_no_comparison_are_no_verdict() -> None:
    found = judged(Gains.of(np.full((12, 1), np.nan)), np.arange(12))
    assert (found.words[0], found.items[0], found.family) == (Verdict.TOO_FEW, 0, 0)
    assert np.isnan([found.effect[0], found.p[0], found.improvement[0]]).all()
    assert judged(Gains.of(np.zeros((12, 0))), np.arange(12)).words.tolist() == []
    assert order(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0, dtype=np.int64)).decidable is False


def test_what_is_claimed_holds_with_failed_items_at_the_worst() -> None:
    random = np.random.default_rng(0)
    value = random.normal(0.5, 0.5, (60, 1))
    least = np.where(np.arange(60)[:, None] < 20, -3.0, value)
    assert judged(Gains.of(value), np.arange(60)).words[0] == Verdict.BETTER
    found = judged(Gains(value, least, value), np.arange(60))
    assert found.words[0] != Verdict.BETTER
    assert found.low[0] < 0
    scores = np.concatenate([value, np.zeros((60, 1))], axis=1)
    at_worst = np.concatenate([least, np.zeros((60, 1))], axis=1)
    assert order(scores, scores, np.arange(60)).better[0, 1]
    assert not order(scores, at_worst, np.arange(60)).better[0, 1]


def test_crossed_clusters_widen_by_what_the_other_way_adds() -> None:
    random = np.random.default_rng(0)
    crossed = np.stack([random.integers(0, 30, 400), random.integers(0, 12, 400)], axis=1)
    value = (random.normal(size=30)[crossed[:, 0]] + random.normal(size=12)[crossed[:, 1]])[:, None]
    both = np.unique(crossed, axis=0, return_inverse=True)[1].reshape(-1)
    one, other, pairs = (standard_error(value, way)[0] for way in (crossed[:, 0], crossed[:, 1], both))
    factor = inflation(value, crossed)[0]
    assert coarsest(crossed).tolist() == crossed[:, 1].tolist()
    assert factor == pytest.approx(np.sqrt(one**2 + other**2 - pairs**2) / other)
    assert factor > 1.1
    single, double = judged(Gains.of(value), crossed[:, 1]), judged(Gains.of(value), crossed)
    assert double.high[0] - double.low[0] > 1.1 * (single.high[0] - single.low[0])
    assert double.p[0] >= single.p[0]
    assert (inflation(value, crossed[:, [1]]), inflation(value, crossed[:, 1])) == (1, 1)


def test_false_verdicts_are_rare_on_crossed_clusters() -> None:
    random, said = np.random.default_rng(1), 0
    for _ in range(100):
        crossed = np.stack([random.integers(0, 60, 100), random.integers(0, 30, 100)], axis=1)
        ways = np.stack([np.unique(way, return_inverse=True)[1] for way in crossed.T], axis=1)
        own = random.normal(size=(60, 4))[crossed[:, 0]] + random.normal(size=(30, 4))[crossed[:, 1]]
        scores = own + random.normal(size=(100, 4))
        said += bool(order(scores, scores, ways).better.any())
    assert said <= 5 + 3 * np.sqrt(100 * 0.05 * 0.95)


def test_five_hundred_entrants_need_no_memory_of_pairs_times_draws() -> None:
    scores = np.random.default_rng(0).normal(size=(40, 500))
    tracemalloc.start()
    assert not order(scores, scores, np.arange(40)).better.any()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # One number for each pair and draw would be 4 GB.
    assert peak < 200e6


@pytest.mark.parametrize("keep", [1.0, 0.3])
def test_the_largest_of_all_pairs_is_that_of_a_literal_loop_however_many_are_worked_on_at_once(
    monkeypatch: pytest.MonkeyPatch, keep: float
) -> None:
    random = np.random.default_rng(3)
    first, second = random.normal(size=(2, 20, 9))
    left = ~np.eye(9, dtype=bool) & (random.random((9, 9)) < keep)
    norms = np.array([[np.sqrt(((first[:, i] - second[:, j]) ** 2).sum()) for j in range(9)] for i in range(9)])
    some = random.choice(np.float32([-1, 1]), (11, 20))
    wanted = [
        max(signs @ (first[:, i] - second[:, j]) / norms[i, j] for i in range(9) for j in range(9) if left[i, j])
        for signs in some.astype(np.float64)
    ]
    for numbers in (1, 200, 10**6):
        monkeypatch.setattr(largest, "IN_CACHE", numbers)
        found, place = largest.largest_pair(some, first, second, norms, left, np.arange(len(some)))
        np.testing.assert_allclose(found, wanted, rtol=1e-5)
        assert left.ravel()[place].all()
