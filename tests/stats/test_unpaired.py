"""Verdicts on two sets of items: against a literal version, cases by hand, and their promises simulated."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from earwitness.stats import unpaired
from earwitness.stats.unpaired import judged_apart
from earwitness.stats.verdicts import Gains, Verdict

REPEATS = 60
TOLD = (Verdict.BETTER, Verdict.WORSE)


def welch(first: np.ndarray, second: np.ndarray, counts: tuple[np.ndarray, np.ndarray]) -> float:
    """Difference of two means over its standard error, from cluster sums and sizes."""
    moments = []
    for sums, sizes in zip((first, second), counts, strict=True):
        mean, clusters = sums.sum() / sizes.sum(), len(sums)
        spread = ((sums - mean * sizes) ** 2).sum() * clusters / (clusters - 1)
        moments.append((mean, spread / sizes.sum() ** 2))
    return (moments[0][0] - moments[1][0]) / np.sqrt(moments[0][1] + moments[1][1])


def literal_p(values: tuple[np.ndarray, np.ndarray], clusters: tuple[np.ndarray, np.ndarray]) -> float:
    """Share of all ways to part the clusters in which one of the two sides is at least as large as the larger seen."""
    sums = np.concatenate([np.bincount(own, side) for side, own in zip(values, clusters, strict=True)])
    sizes = np.concatenate([np.bincount(own) for own in clusters])
    count, every = int(clusters[0].max()) + 1, range(len(sums))
    found = []
    for chosen in itertools.combinations(every, count):
        ours, theirs = list(chosen), [place for place in every if place not in chosen]
        found.append(abs(welch(sums[ours], sums[theirs], (sizes[ours], sizes[theirs]))))
    return float(np.mean(np.array(found) >= found[0] - 1e-9))


@pytest.mark.parametrize("seed", range(3))
def test_a_p_value_is_that_of_the_literal_version(seed: int) -> None:
    random = np.random.default_rng(seed)
    clusters = tuple(np.repeat(np.arange(6), random.integers(1, 4, 6)) for _ in range(2))
    values = tuple(random.normal(shift, 1, len(own)) for shift, own in zip((0.9, 0.0), clusters, strict=True))
    found = judged_apart(Gains.of(values[0][:, None]), Gains.of(values[1][:, None]), clusters)
    # 10,000 of 924 ways are drawn.
    assert found.p[0] == pytest.approx(literal_p(values, clusters), abs=0.015)
    assert found.effect[0] == pytest.approx(values[0].mean() - values[1].mean())


def test_what_differs_everywhere_is_told_and_what_is_equal_is_not() -> None:
    clusters = (np.arange(12), np.arange(8))
    ones, zeros = np.ones((12, 1)), np.zeros((8, 1))
    found = judged_apart(Gains.of(ones), Gains.of(zeros), clusters)
    assert (found.words[0], found.effect[0], found.low[0], found.high[0]) == (Verdict.BETTER, 1, 1, 1)
    assert judged_apart(Gains.of(-ones), Gains.of(zeros), clusters).words[0] == Verdict.WORSE
    equal = judged_apart(Gains.of(ones), Gains.of(np.ones((8, 1))), clusters)
    assert (equal.words[0], equal.low[0], equal.high[0], equal.p[0]) == (Verdict.NOT_TOLD, 0, 0, 1)


def test_fewer_clusters_than_a_paired_verdict_takes_are_too_few_and_no_part_of_the_family() -> None:
    random = np.random.default_rng(0)
    first, second = random.normal(3, 1, (20, 2)), random.normal(0, 1, (20, 2))
    second[5:, 1] = np.nan
    found = judged_apart(Gains.of(first), Gains.of(second), (np.arange(20), np.arange(20)))
    assert found.words.tolist() == [Verdict.BETTER, Verdict.TOO_FEW]
    assert found.family == 1
    assert (np.isnan(found.p[1]), found.low[1], found.high[1]) == (True, -np.inf, np.inf)
    alone = judged_apart(Gains.of(first[:, :1]), Gains.of(second[:, :1]), (np.arange(20), np.arange(20)))
    assert (alone.p[0], alone.low[0], alone.high[0]) == (found.p[0], found.low[0], found.high[0])
    # Twenty items of five clusters are five.
    repeated = judged_apart(Gains.of(first), Gains.of(second), (np.arange(20), np.repeat(np.arange(5), 4)))
    assert repeated.words[0] == Verdict.TOO_FEW


def test_an_interval_leaves_out_nothing_exactly_where_a_difference_is_told() -> None:
    random, told = np.random.default_rng(1), 0
    for _ in range(20):
        first, second = random.normal(np.linspace(-1, 1, 4), 1, (15, 4)), random.normal(0, 1, (25, 4))
        found = judged_apart(Gains.of(first), Gains.of(second), (np.arange(15), np.arange(25)))
        assert ((found.low > 0) == (found.words == Verdict.BETTER)).all()
        assert ((found.high < 0) == (found.words == Verdict.WORSE)).all()
        assert ((found.p < 0.05) == np.isin(found.words, TOLD)).all()
        told += int(np.isin(found.words, TOLD).sum())
    assert 10 < told < 70


def test_a_claim_holds_with_the_failed_items_that_speak_against_it_at_their_worst() -> None:
    random = np.random.default_rng(2)
    first, second = random.normal(1, 0.5, (30, 1)), random.normal(0, 0.5, (30, 1))
    worst = np.where(np.arange(30)[:, None] < 10, -3.0, first)
    clusters = (np.arange(30), np.arange(30))
    assert judged_apart(Gains.of(first), Gains.of(second), clusters).words[0] == Verdict.BETTER
    found = judged_apart(Gains(first, worst, first), Gains.of(second), clusters)
    assert found.words[0] == Verdict.NOT_TOLD
    assert found.low[0] < 0
    # The same failures of the other side make it no better.
    assert judged_apart(Gains.of(second), Gains(first, worst, first), clusters).words[0] == Verdict.NOT_TOLD


def test_crossed_clusters_widen_an_interval() -> None:
    random = np.random.default_rng(3)
    crossed = np.stack([random.integers(0, 30, 300), np.arange(300) % 12], axis=1)
    crossed[:30, 0] = np.arange(30)
    value = (random.normal(size=30)[crossed[:, 0]] + random.normal(size=12)[crossed[:, 1]])[:, None]
    other, own = random.normal(size=(40, 1)), np.arange(40)
    single = judged_apart(Gains.of(value), Gains.of(other), (crossed[:, 1:], own[:, None]))
    double = judged_apart(Gains.of(value), Gains.of(other), (crossed, np.stack([own, own], axis=1)))
    assert double.high[0] - double.low[0] > 1.05 * (single.high[0] - single.low[0])


def draw(random: np.random.Generator, kind: str, clusters: int) -> tuple[np.ndarray, np.ndarray]:
    """Values [N, 4] of one world, and their clusters [N]."""
    sizes = 1 + random.poisson(0.5, clusters)
    own = np.repeat(np.arange(clusters), sizes)
    shape = (len(own), 4)
    if kind == "normal":
        return random.normal(size=shape) + random.normal(size=(clusters, 4))[own], own
    if kind == "bounded":
        return random.beta(0.5, 0.5, shape), own
    return (random.random(shape) < 0.1) * random.normal(1, 0.3, shape), own


@pytest.mark.parametrize("kind", ["normal", "bounded", "zero-inflated"])
@pytest.mark.parametrize("sizes", [(6, 6), (40, 8), (20, 20)])
def test_two_draws_of_one_world_are_hardly_ever_told_apart(
    kind: str, sizes: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpaired, "DRAWS", 400)
    random, said = np.random.default_rng([len(kind), *sizes]), 0
    for _ in range(REPEATS):
        (first, own), (second, other) = (draw(random, kind, count) for count in sizes)
        found = judged_apart(Gains.of(first), Gains.of(second), (own, other))
        said += bool(np.isin(found.words, TOLD).any())
    assert said / REPEATS <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / REPEATS)


@pytest.mark.parametrize("kind", ["normal", "bounded"])
def test_intervals_cover_a_planted_difference_and_tell_a_large_one(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpaired, "DRAWS", 400)
    random, covered, told = np.random.default_rng(9), 0, 0
    for _ in range(REPEATS):
        (first, own), (second, other) = (draw(random, kind, count) for count in (40, 25))
        found = judged_apart(Gains.of(first[:, :1] + 2), Gains.of(second[:, :1]), (own, other))
        covered += bool(found.low[0] <= 2 <= found.high[0])
        told += found.words[0] == Verdict.BETTER
    assert covered / REPEATS >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / REPEATS)
    assert told == REPEATS
