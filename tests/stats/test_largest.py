"""The largest of pairs, step by step, is that of asking everything anew, and asks for less."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from earwitness.stats import largest
from earwitness.stats.intervals import Array
from earwitness.stats.largest import LargestPairs, Places


@pytest.mark.parametrize("shift", [0.0, 50.0])
def test_steps_find_what_asking_all_signs_anew_finds(shift: float) -> None:
    """A shift of the worse side leaves statistics below 0 under some signs, where what is left out stands as 0."""
    random = np.random.default_rng(1)
    first = random.normal(size=(20, 12))
    second = first + shift * (random.random((20, 12)) < 0.5)
    norms = np.sqrt(((first[:, :, None] - second[:, None, :]) ** 2).sum(axis=0)) + 0.1
    drawn = [random.choice(np.float32([-1, 1]), (30, 20)) for _ in range(3)]
    drawn[0][0] = 1
    left = ~np.eye(12, dtype=bool)
    pairs = LargestPairs(lambda: drawn, first, second, norms)
    below = False
    for _ in range(6):
        found = pairs(left)
        anew = LargestPairs(lambda: drawn, first, second, norms)(left)
        some = np.concatenate(drawn).astype(np.float32)
        one, other = some @ first.astype(np.float32), some @ second.astype(np.float32)
        every = (one[:, :, None] - other[:, None, :]) / norms
        np.testing.assert_array_equal(found, anew)
        np.testing.assert_allclose(found, every[:, left].max(axis=1), rtol=1e-4, atol=1e-4)
        below |= bool((found < 0).any())
        left = left & (random.random((12, 12)) < 0.7)
    assert below or shift == 0
    assert (pairs(np.zeros((12, 12), dtype=bool)) == -np.inf).all()


def test_a_step_asks_only_for_the_signs_whose_largest_pair_has_left(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(2)
    sums = random.normal(size=(20, 10))
    norms = np.sqrt(((sums[:, :, None] - sums[:, None, :]) ** 2).sum(axis=0))
    drawn = [random.choice(np.float32([-1, 1]), (40, 20))]
    asked: list[int] = []
    whole = largest.largest_pair

    def counted(*given: Any) -> tuple[Array, Places]:
        asked.append(len(given[-1]))
        return whole(*given)

    monkeypatch.setattr(largest, "largest_pair", counted)
    pairs = LargestPairs(lambda: drawn, sums, sums, norms)
    left = ~np.eye(10, dtype=bool)
    pairs(left)
    _, place = whole(drawn[0], sums, sums, norms, left, np.arange(40))
    left[np.unravel_index(place[0], left.shape)] = False
    pairs(left)
    assert asked == [40, int((place == place[0]).sum())]
    assert asked[1] < 40
