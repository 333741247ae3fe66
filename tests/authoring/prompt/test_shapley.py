from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from earwitness.authoring.prompt.shapley import coalitions, game, marginal, shapley
from scoring_fakes import FRAMES, VOCABULARY, FakeModel, item

games = arrays(np.float64, 16, elements=st.floats(-10, 10))


def by_permutations(values: np.ndarray) -> np.ndarray:
    """The definition: the mean gain over all orders in which words may join."""
    words = len(values).bit_length() - 1
    total = np.zeros(words)
    orders = list(permutations(range(words)))
    for order in orders:
        row = 0
        for word in order:
            total[word] += values[row | 1 << word] - values[row]
            row |= 1 << word
    return total / len(orders)


@settings(deadline=None, max_examples=30)
@given(games)
def test_values_agree_with_the_definition_over_all_orders(values: np.ndarray) -> None:
    np.testing.assert_allclose(shapley(values), by_permutations(values), atol=1e-9)


@settings(deadline=None, max_examples=30)
@given(games)
def test_values_sum_to_the_gain_of_all_words(values: np.ndarray) -> None:
    assert shapley(values).sum() == pytest.approx(values[-1] - values[0], abs=1e-9)


def test_a_word_that_changes_nothing_gets_nothing() -> None:
    values = coalitions(3) @ np.array([2.0, 0.0, 5.0])
    assert shapley(values).tolist() == pytest.approx([2.0, 0.0, 5.0])
    assert not marginal(values)[1].any()


def test_the_last_marginal_is_the_cost_of_removing_the_word_from_the_prompt() -> None:
    values = np.random.default_rng(0).normal(size=8)
    assert marginal(values)[:, -1].tolist() == pytest.approx(
        [values[7] - values[6], values[7] - values[5], values[7] - values[3]]
    )


def test_the_game_is_the_log_likelihood_of_the_codes_without_special_tokens() -> None:
    # The code at every frame is 3; only the word that is the vocabulary's third raises its logit from 0 to 1.
    prompt = f"{VOCABULARY[3]} {VOCABULARY[5]}"
    values = game(FakeModel(), item(prompt))  # type: ignore[arg-type]
    size = len(VOCABULARY)
    one, two = np.log(size - 1 + np.e), np.log(size - 2 + 2 * np.e)
    expected = FRAMES * np.array([-np.log(size), 1 - one, -one, 1 - two])
    np.testing.assert_allclose(values, expected, rtol=1e-5)
    assert shapley(values)[0] > 0 > shapley(values)[1]
