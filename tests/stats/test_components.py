"""Components of variance against planted ones, and against a layout worked out by hand."""

import numpy as np
import pytest

from earwitness.stats.components import components

PLANTED = {"item": 1.0, "generation": 0.5, "explainer": 0.25, "rest": 0.1}


def planted(items: int, generations: int, explainers: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)

    def effect(name: str, *shape: int) -> np.ndarray:
        return rng.normal(0, PLANTED[name] ** 0.5, shape)

    return (
        effect("item", items, 1, 1)
        + effect("generation", items, generations, 1)
        + effect("explainer", items, 1, explainers)
        + effect("rest", items, generations, explainers)
    )


def test_planted_variances_are_found() -> None:
    found = components(planted(20_000, 3, 3))
    for name, variance in PLANTED.items():
        assert getattr(found, name) == pytest.approx(variance, rel=0.06)
    total = sum(PLANTED.values())
    assert found.shares == pytest.approx([value / total for value in PLANTED.values()], abs=0.02)


def test_the_reliability_is_the_correlation_with_other_seeds() -> None:
    cells = planted(20_000, 6, 2)
    first, second = cells[:, :3].mean(axis=(1, 2)), cells[:, 3:].mean(axis=(1, 2))
    # The explainer's seeds are shared by both halves: they are no noise between them.
    one_explainer = components(cells[:, :3].mean(axis=2, keepdims=True))
    assert one_explainer.reliability == pytest.approx(np.corrcoef(first, second)[0, 1], abs=0.01)


def test_one_kind_of_seed_takes_what_both_would_share() -> None:
    found = components(planted(20_000, 3, 1))
    assert np.isnan([found.explainer, found.rest]).all()
    assert found.generation == pytest.approx(0.6, rel=0.05)
    assert found.item == pytest.approx(1.25, rel=0.05)


def test_a_layout_by_hand() -> None:
    # Means 1 and 5; within each item the generation seeds differ by 2, the explainer seeds by nothing.
    cells = np.array([[[0.0, 0.0], [2.0, 2.0]], [[4.0, 4.0], [6.0, 6.0]]])
    found = components(cells)
    assert (found.generation, found.explainer, found.rest) == (2.0, 0.0, 0.0)
    assert found.item == pytest.approx(8.0 - 1.0)
    assert found.reliability == pytest.approx(7 / 8)


def test_without_seeds_or_items_nothing_is_said() -> None:
    one = components(np.arange(5.0).reshape(5, 1, 1))
    assert one.item == pytest.approx(2.5)
    assert np.isnan(one.reliability)
    assert one.shares[0] == 1.0
    assert np.isnan(components(np.ones((1, 3, 3))).shares[0])
    assert np.isnan(components(np.ones((4, 3, 3))).shares[0])
    assert components(np.array([[[1.0]], [[np.nan]], [[3.0]]])).item == 2.0
    assert np.isnan(components(np.full((4, 2, 2), np.nan)).item)
    several = np.array([[[1.0, np.nan]], [[2.0, np.nan]]])
    assert np.isnan(components(several).explainer)
    assert components(several).item == 0.5
