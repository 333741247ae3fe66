from __future__ import annotations

from itertools import combinations
from math import comb, factorial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baselines import baseline, make_item, tiny_model
from earwitness.explaining.prompt_likelihoods import masked_likelihoods
from earwitness.tracks.prompt import Removal

SHAP = baseline("kernel_shap").module
PROMPTS = (
    "rain",
    "loud rain",
    "the dog barks loudly",
    "a bell rings then the siren wails",
    "someone hears a quiet bell far while the siren wails",
)


def exact_shapley(words: int, values: dict[frozenset[int], np.ndarray]) -> np.ndarray:
    """Shapley values [W, F] by their definition, from the value [F] of every set."""
    found = []
    for word in range(words):
        others = [other for other in range(words) if other != word]
        total = np.zeros_like(values[frozenset()])
        for size in range(words):
            share = factorial(size) * factorial(words - size - 1) / factorial(words)
            for rest in combinations(others, size):
                total = total + share * (values[frozenset({*rest, word})] - values[frozenset(rest)])
        found.append(total)
    return np.array(found)


def as_dict(members: np.ndarray, values: np.ndarray) -> dict[frozenset[int], np.ndarray]:
    """Values of sets by set."""
    return {frozenset(np.flatnonzero(row).tolist()): value for row, value in zip(members, values, strict=True)}


@pytest.mark.parametrize("prompt", PROMPTS)
def test_all_coalitions_give_exact_shapley_values_up_to_ten_words(prompt: str) -> None:
    model = tiny_model()
    item = make_item(model, prompt, 3)
    words = model.words([prompt])[0]
    count = len(prompt.split())
    game = SHAP.draw_coalitions(count, 2**count, seed=0)
    explainer = baseline("kernel_shap").build(coalitions=2**count, average="none")
    masks = SHAP.on_tokens(game.members, words)
    (values,) = masked_likelihoods(model, [item], [masks], Removal.SCALE, batch=64)
    exact = exact_shapley(count, as_dict(game.members, values))
    np.testing.assert_allclose(SHAP.shapley_values(game, values), exact, atol=1e-6)
    found = explainer.explain(model, item).order
    np.testing.assert_allclose(found[:, words >= 0].T, exact[words[words >= 0]], atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(words=st.integers(1, 14), budget=st.integers(4, 300), seed=st.integers(0, 99))
def test_coalitions_are_distinct_paired_and_within_budget(words: int, budget: int, seed: int) -> None:
    game = SHAP.draw_coalitions(words, budget, seed)
    drawn = [tuple(row) for row in game.members.tolist()]
    assert len(set(drawn)) == len(drawn)
    assert len(drawn) == 2**words if 2**words <= budget else len(drawn) <= budget
    assert {tuple(not member for member in row) for row in drawn} == set(drawn)
    assert (game.weights[2:] > 0).all()
    assert not game.weights[:2].any()


def test_weights_of_all_coalitions_are_the_shapley_kernel() -> None:
    game = SHAP.draw_coalitions(6, 64, seed=0)
    size = game.members[2:].sum(1)
    kernel = [5 / (comb(6, s) * s * (6 - s)) for s in size.tolist()]
    np.testing.assert_allclose(game.weights[2:], kernel)


def test_values_add_up_to_the_whole_and_get_closer_with_more_coalitions() -> None:
    rng = np.random.default_rng(0)
    pairs = rng.normal(size=(12, 12, 3))
    everything = SHAP.draw_coalitions(12, 4096, seed=0)

    def worth(members: np.ndarray) -> np.ndarray:
        return np.einsum("ri,rj,ijf->rf", members, members, pairs) + 3 * members.all(1)[:, None]

    exact = SHAP.shapley_values(everything, worth(everything.members.astype(float)))
    errors = []
    for budget in (64, 512):
        game = SHAP.draw_coalitions(12, budget, seed=1)
        values = worth(game.members.astype(float))
        found = SHAP.shapley_values(game, values)
        np.testing.assert_allclose(found.sum(0), values[1] - values[0])
        errors.append(np.abs(found - exact).max())
    assert errors[1] < errors[0] / 2
