"""What a dictionary is like, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from earwitness.metrics.arrays import UndefinedError
from earwitness.metrics.reconstruction import dead, fvu, l0, stability


def test_rebuilding_the_mean_leaves_all_of_the_variance_and_rebuilding_all_leaves_none() -> None:
    x = np.random.default_rng(0).normal(size=(50, 4)) + 3
    assert fvu(x, np.broadcast_to(x.mean(0), x.shape)) == pytest.approx(1.0)
    assert fvu(x, x) == 0.0
    with pytest.raises(UndefinedError, match="constant"):
        fvu(np.ones((3, 2)), np.ones((3, 2)))


def test_active_features_are_counted_by_frame_and_dead_ones_over_all_frames() -> None:
    features = np.array([[1.0, 0.0, 0.0, 0.0], [0.0, -2.0, 0.0, 0.0], [3.0, 4.0, 0.0, 0.0]])
    assert l0(features) == pytest.approx(4 / 3)
    assert dead(features) == 0.5


def test_a_dictionary_is_as_stable_as_the_best_pairing_says_literally() -> None:
    rng = np.random.default_rng(1)
    one, other = rng.normal(size=(40, 3)), rng.normal(size=(40, 3))
    from itertools import permutations

    wanted = max(
        sum(max(0.0, np.corrcoef(one[:, i], other[:, j])[0, 1]) for i, j in enumerate(order))
        for order in permutations(range(3))
    )
    assert stability(one, other) == pytest.approx(wanted / 3)


def test_the_same_features_in_another_order_and_scale_are_stable() -> None:
    one = np.random.default_rng(2).normal(size=(30, 5))
    assert stability(one, 4 * one[:, ::-1] + 1) == pytest.approx(1.0)
    # A feature more that has no partner counts 0, dead ones do not count.
    wider = np.concatenate([one, np.random.default_rng(3).normal(size=(30, 1)), np.zeros((30, 2))], 1)
    assert stability(one, wider) == pytest.approx(5 / 6)
    assert stability(wider, one) == pytest.approx(5 / 6)


def test_features_that_never_vary_have_no_stability() -> None:
    with pytest.raises(UndefinedError, match="no feature varies"):
        stability(np.ones((4, 2)), np.random.default_rng(0).normal(size=(4, 2)))
