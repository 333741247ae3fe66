import numpy as np
import pytest

from earwitness.stats.likeness import alike

RANDOM = np.random.default_rng(0)
OTHER = RANDOM.uniform(0.2, 0.9, 50)


def test_the_same_values_but_for_rounding_are_alike():
    assert alike(OTHER + RANDOM.normal(0, 0.005, 50), OTHER, 0.8)


@pytest.mark.parametrize("values", [OTHER - 0.1, OTHER[::-1], OTHER.mean() + 0 * OTHER, OTHER + np.nan])
def test_what_is_level_alone_or_follows_alone_is_not(values):
    assert not alike(values, OTHER, 0.8)


def test_beside_a_definition_that_is_1_everywhere_being_level_is_enough():
    assert alike(np.full(50, 0.999), np.ones(50), 1.0)
    assert not alike(np.full(50, 0.9), np.ones(50), 1.0)


def test_items_that_one_lacks_are_left_out_and_two_items_say_nothing():
    gaps = np.where(np.arange(50) % 2, OTHER, np.nan)
    assert alike(gaps, OTHER, 0.8)
    assert not alike(OTHER[:2], OTHER[:2], 0.8)
    assert not alike(OTHER, OTHER, float("nan"))
