"""The verdict engine's promises, simulated: false verdicts, rank ranges, power, and what score intervals cover.

Entrants of a world are tied, or lie where the world says; an item's score is what the board compares. Bounds are the
promise with three Monte Carlo standard errors of the draws made: `REPEATS` in every run of the tests, `MANY` behind the
slow marker, where the figures of docs/reading.md come from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from earwitness.stats import verdicts
from earwitness.stats.calibration import Anchors, calibrated, shares
from earwitness.stats.intervals import Resampling, interval, mean_interval
from earwitness.stats.ranks import ranks
from earwitness.stats.verdicts import Gains, Verdict, judged, order

REPEATS, MANY = 60, 1000
KINDS = {"normal": (6, 10, 20, 50, 100), "bounded": (6, 10, 20, 50, 100), "zero-inflated": (50, 100)}
SIZES = [(kind, clusters) for kind, several in KINDS.items() for clusters in several]
SHAPES = ("single", "unequal", "failing")


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """As few sign assignments as the engine ever draws: the level does not hang on their number."""
    monkeypatch.setattr(verdicts, "COMPARED", 0)


@dataclass(frozen=True)
class World:
    """Tied entrants on items of clusters."""

    kind: str
    clusters: int
    entrants: int
    shape: str = "single"

    def draw(self, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Scores [N, E], the same with failed items at the worst, and clusters [N]."""
        sizes = 1 + random.poisson(1.5, self.clusters) if self.shape == "unequal" else np.ones(self.clusters, dtype=int)
        clusters = np.repeat(np.arange(self.clusters), sizes)
        shape = (len(clusters), self.entrants)
        if self.kind == "normal":
            scores = random.normal(size=shape) + random.normal(size=(self.clusters, self.entrants))[clusters]
        elif self.kind == "bounded":
            own, shared = random.beta(0.5, 0.5, shape), random.beta(0.5, 0.5, (self.clusters, self.entrants))[clusters]
            scores = (own + shared) / 2
        else:
            # Entrants differ from what they share on 2 % of items each, so that two of them differ on 4 %.
            scores = random.beta(0.5, 0.5, (len(clusters), 1)) + (random.random(shape) < 0.02) * random.normal(
                size=shape
            )
        worst = scores.copy()
        if self.shape == "failing":
            failed, floor = random.random(shape) < 0.1, scores[random.permutation(len(scores))][:, [0]]
            worst[failed], scores = scores.min(), np.where(failed, floor, scores)
        return scores, worst, clusters


def false_verdicts(world: World, repeats: int) -> tuple[float, float]:
    """Shares of boards on which any two of the tied are told apart, and of rank ranges that leave a rank out."""
    random = np.random.default_rng([len(world.kind), world.clusters, world.entrants, len(world.shape)])
    boards, ranges = 0, 0.0
    for _ in range(repeats):
        scores, worst, clusters = world.draw(random)
        found = order(scores, worst, clusters)
        placed = ranks(found, scores.mean(axis=0))
        boards += bool(found.better.any())
        ranges += float(np.mean((placed.low > 1) | (placed.high < world.entrants)))
    return boards / repeats, ranges / repeats


def at_most(level: float, repeats: int) -> float:
    return level + 3 * np.sqrt(level * (1 - level) / repeats)


def hold(world: World, repeats: int) -> None:
    boards, ranges = false_verdicts(world, repeats)
    print(f"{world}: false verdicts {boards:.3f}, ranges that leave out a rank {ranges:.3f}, {repeats} draws")
    assert boards <= at_most(0.05, repeats)
    assert ranges <= at_most(0.05, repeats)


@pytest.mark.parametrize(("kind", "clusters"), SIZES)
def test_tied_entrants_are_hardly_ever_told_apart(kind: str, clusters: int) -> None:
    for shape in SHAPES:
        hold(World(kind, clusters, 8, shape), REPEATS)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("entrants", [3, 8, 11])
@pytest.mark.parametrize(("kind", "clusters"), SIZES)
@pytest.mark.parametrize("shape", SHAPES)
def test_tied_entrants_are_hardly_ever_told_apart_in_many_draws(
    kind: str, clusters: int, entrants: int, shape: str
) -> None:
    hold(World(kind, clusters, entrants, shape), MANY)


def ranks_of_some_that_differ(clusters: int, repeats: int) -> float:
    """Share of rank ranges that hold all the ranks an entrant may have: three tied leaders, then two, then one."""
    random, means = np.random.default_rng(clusters), np.array([0.3, 0.3, 0.3, 0.0, 0.0, -0.1])
    low, high = np.array([1, 1, 1, 4, 4, 6]), np.array([3, 3, 3, 5, 5, 6])
    held = []
    for _ in range(repeats):
        scores = means + random.normal(size=(clusters, 1)) + 0.4 * random.normal(size=(clusters, 6))
        placed = ranks(order(scores, scores, np.arange(clusters)), scores.mean(axis=0))
        held.append((placed.low <= low) & (placed.high >= high))
    return float(np.mean(held, axis=0).min())


@pytest.mark.parametrize("clusters", [10, 50, 100])
def test_a_rank_range_holds_the_ranks_that_are_possible(clusters: int) -> None:
    held = ranks_of_some_that_differ(clusters, 200)
    print(f"{clusters} clusters: the least covered rank range {held:.3f}, 200 draws")
    assert held >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / 200)


def found_pairs(repeats: int, means: np.ndarray) -> float:
    """Share of pairs of 8 entrants told apart at 100 items, of those that differ; noise of a difference is 1."""
    random = np.random.default_rng(8)
    real = means[:, None] > means[None, :]
    told = []
    for _ in range(repeats):
        scores = means + random.normal(size=(100, 1)) + random.normal(size=(100, 8)) / np.sqrt(2)
        told.append(order(scores, scores, np.arange(100)).better[real].mean())
    return float(np.mean(told))


def test_differences_of_half_a_standard_deviation_are_found_at_100_items() -> None:
    steps, halves = found_pairs(100, 0.5 * np.arange(8)), found_pairs(100, 0.5 * (np.arange(8) < 4))
    print(f"pairs found: steps of .5 sd {steps:.3f}, two halves .5 sd apart {halves:.3f}, 100 draws")
    assert min(steps, halves) >= 0.95 - 0.01


def family(random: np.random.Generator, kind: str, clusters: int, comparisons: int) -> Gains:
    """Gains that are 0 on average, correlated as metrics of one explanation are."""
    if kind == "zero-inflated":
        value = (random.random((clusters, 1)) < 0.04) * random.normal(size=(clusters, comparisons))
    else:
        value = random.normal(size=(clusters, 1)) + random.normal(size=(clusters, comparisons))
        value = value if kind == "normal" else np.tanh(3 * value)
    return Gains.of(value)


@pytest.mark.parametrize(("kind", "clusters"), SIZES)
def test_a_family_of_comparisons_says_hardly_ever_anything_of_what_is_tied(kind: str, clusters: int) -> None:
    random, repeats = np.random.default_rng(clusters), REPEATS
    said = 0
    for _ in range(repeats):
        words = judged(family(random, kind, clusters, 32), np.arange(clusters)).words
        said += bool(set(words) & {Verdict.BETTER, Verdict.WORSE})
    print(f"{kind}, {clusters} clusters, 32 comparisons: any verdict {said / repeats:.3f}, {repeats} draws")
    assert said / repeats <= at_most(0.05, repeats)


@pytest.mark.parametrize("distance", [0.0, 0.05])
def test_what_lies_at_the_margin_is_hardly_ever_called_equivalent(distance: float) -> None:
    random, repeats, margin = np.random.default_rng(5), 200, 0.05
    words = [
        judged(Gains.of(random.normal(distance, 0.1, (100, 1))), np.arange(100), np.array([margin])).words[0]
        for _ in range(repeats)
    ]
    share = words.count(Verdict.EQUIVALENT) / repeats
    if distance < margin:
        assert share >= 0.9
    else:
        assert share <= at_most(0.025, repeats)


def covered(kind: str, clusters: int, shape: str, repeats: int) -> tuple[float, float]:
    """How often intervals of a mean, and of a calibrated value, hold the truth."""
    random, sampling = np.random.default_rng([clusters, len(kind)]), Resampling(draws=400)
    world = World(kind, clusters, 3, shape)
    hits = []
    for _ in range(repeats):
        scores, _, numbers = world.draw(random)
        truth = 0.5 if kind == "bounded" else 0.0
        mean = mean_interval(scores[:, 0], numbers, sampling)
        # Floor and ceiling of the same items: the truth of the calibrated value is (0 + 2 - 0) / (5 - 0).
        values, ends = scores[:, [0]] + 2, Anchors(scores[:, 1], scores[:, 2] + 5, scores[:, 2] - 9)
        ratio = interval(calibrated(values, ends, numbers), clusters, sampling, np.bincount(numbers))
        hits.append((mean.low <= truth <= mean.high, ratio.low[0] <= 0.4 <= ratio.high[0]))
        assert shares(values, ends).mean(axis=0) == pytest.approx(ratio.value)
    return tuple(np.mean(hits, axis=0))


@pytest.mark.parametrize("clusters", [10, 20, 50])
@pytest.mark.parametrize("kind", ["normal", "bounded"])
@pytest.mark.parametrize("shape", ["single", "unequal"])
def test_score_intervals_cover_what_they_say(kind: str, clusters: int, shape: str) -> None:
    repeats = 300
    found = covered(kind, clusters, shape, repeats)
    print(f"{kind}, {clusters} clusters, {shape}: mean {found[0]:.3f}, calibrated {found[1]:.3f}, {repeats} draws")
    slack = 3 * np.sqrt(0.05 * 0.95 / repeats)
    assert all(0.92 - slack <= share <= 0.98 + slack for share in found)
