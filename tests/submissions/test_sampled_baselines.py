"""SmoothGrad, expected gradients, LIME and Shapley value sampling against slow versions and known answers."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch

from baselines import baseline, tiny_items, tiny_model
from earwitness.explaining.permutation_sampling import draw_orders
from earwitness.explaining.word_coalitions import coalition_likelihoods
from earwitness.tracks.prompt import Encoded, PromptItem, Removal, log_likelihood
from earwitness.tracks.speech import SpeechItem, utterance_mean
from speech_baselines import fake_items, fake_model, speech_baseline


def slope(item: PromptItem, states: torch.Tensor) -> torch.Tensor:
    """Gradient [N, D] of the whole sound's log-likelihood at states [N, D], special tokens being out."""
    model, codes = tiny_model(), torch.as_tensor(item.codes)[None]
    text = model.encode([item.prompt])
    rows = states.clone().requires_grad_()
    mask = torch.as_tensor(~item.special, dtype=torch.float32)[None]
    total = log_likelihood(model.logits(codes, Encoded(rows[None], text.mask), mask), codes).sum()
    return torch.autograd.grad(total, rows)[0]


def log_probability(item: SpeechItem, features: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    """Log-probabilities [O] of the item's tokens."""
    tokens = torch.as_tensor(item.tokens)[None]
    logits = fake_model().logits(features[None], tokens, None if mask is None else mask[None])[0]
    return logits.log_softmax(-1)[range(len(item.tokens)), item.tokens]


def test_smooth_grad_is_the_size_of_the_mean_gradient_around_the_states() -> None:
    item = tiny_items()[0]
    states = tiny_model().encode([item.prompt]).states[0]
    words = states[torch.as_tensor(~item.special)]
    noise = torch.randn(3, *states.shape, generator=torch.Generator().manual_seed(item.explainer_seed))
    deviation = 0.2 * (words.max() - words.min())
    mean = sum(slope(item, states + deviation * each) for each in noise) / 3
    expected = mean.abs().sum(-1).numpy() * ~item.special
    found = baseline("smooth_grad").build(samples=3, noise=0.2, batch=2).explain(tiny_model(), item).weights
    np.testing.assert_allclose(found, expected / expected.max(), rtol=1e-3)


def test_smooth_grad_without_noise_is_the_gradients_size() -> None:
    item = fake_items()[0]
    cells, context = speech_baseline("smooth_grad").build(samples=1, noise=0.0).gradients(fake_model(), item)
    features = torch.as_tensor(item.features).requires_grad_()
    mask = torch.ones(len(item.tokens), requires_grad=True)
    for k, score in enumerate(log_probability(item, features, mask)):
        one, other = torch.autograd.grad(score, (features, mask), retain_graph=True)
        torch.testing.assert_close(cells[k], one, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(context[k], other, rtol=1e-4, atol=1e-5)


def test_expected_gradients_are_the_mean_over_references_of_gradient_times_way() -> None:
    item = tiny_items()[2]
    states = tiny_model().encode([item.prompt]).states[0]
    explainer = baseline("expected_gradients").build(samples=4, batch=3)
    references, places = explainer.draw(item, states)
    own = {tuple(row) for row in states[torch.as_tensor(~item.special)].tolist()}
    assert {tuple(row) for row in references[:, torch.as_tensor(~item.special)].flatten(0, 1).tolist()} <= own
    expected = np.zeros(len(item.tokens))
    for reference, place in zip(references, places, strict=True):
        way = states - reference
        expected += (slope(item, reference + place * way) * way).sum(-1).numpy() / 4
    found = explainer.explain(tiny_model(), item).order
    np.testing.assert_allclose(found, expected * ~item.special, rtol=1e-3, atol=1e-4)


def test_expected_gradients_add_up_to_the_gain_over_the_mean_reference() -> None:
    item = fake_items()[0]
    explainer = speech_baseline("expected_gradients").build(samples=1500)
    cells, context = explainer.attributions(fake_model(), item)
    rng = np.random.default_rng(0)
    with torch.no_grad():
        whole = log_probability(item, torch.as_tensor(item.features))
        others = [
            log_probability(item, torch.as_tensor(item.features[rng.permutation(len(item.features))]))
            for _ in range(400)
        ]
        alone = log_probability(item, torch.as_tensor(item.features), torch.zeros(len(item.tokens)))
    gained = whole - torch.stack(others).mean(0)
    scale = float(gained.abs().max())
    np.testing.assert_allclose(cells.sum((1, 2)), gained, atol=0.15 * scale)
    np.testing.assert_allclose(
        np.tril(context, -1).sum(1), whole - alone, atol=0.15 * float((whole - alone).abs().max())
    )


def test_neighbours_leave_out_as_many_words_as_an_even_draw_says() -> None:
    present = baseline("lime").module.neighbours(4, 8001, seed=0)
    assert present[0].all()
    left_out = (~present[1:]).sum(1)
    np.testing.assert_allclose(np.bincount(left_out, minlength=5)[1:] / 8000, 0.25, atol=0.03)
    np.testing.assert_allclose((~present[1:]).mean(0), 2.5 / 4, atol=0.03)


def test_limes_regression_over_words_is_the_solution_of_its_normal_equations() -> None:
    rng = np.random.default_rng(0)
    present, values = rng.random((60, 4)) > 0.4, rng.normal(size=(60, 3))
    distance = 1 - present.sum(1) / np.sqrt(np.maximum(present.sum(1), 1) * 4)
    weights = np.exp(-((distance / 0.25) ** 2) / 2)
    inputs = np.hstack([present, np.ones((60, 1))])
    penalty = np.diag([1.0, 1.0, 1.0, 1.0, 0.0])
    solved = np.linalg.solve(inputs.T @ (weights[:, None] * inputs) + penalty, inputs.T @ (weights[:, None] * values))
    np.testing.assert_allclose(baseline("lime").explainer.fit(present, values), solved[:4], atol=1e-8)


def test_a_coalition_that_comes_again_has_the_value_it_had() -> None:
    items, model = list(tiny_items()[:2]), tiny_model()
    coalitions = [np.array([[1, 0, 1, 1], [1, 1, 1, 1], [1, 0, 1, 1]], dtype=bool), np.array([[1], [0]], dtype=bool)]
    values = coalition_likelihoods(model, items, coalitions, Removal.SCALE, 64)
    assert [value.shape for value in values] == [(3, items[0].codes.shape[1]), (2, items[1].codes.shape[1])]
    np.testing.assert_array_equal(values[0][0], values[0][2])
    assert not np.allclose(values[0][0], values[0][1])
    alone = coalition_likelihoods(model, items[:1], [coalitions[0][:1]], Removal.SCALE, 64)[0]
    np.testing.assert_allclose(alone[0], values[0][0], atol=1e-4)


@pytest.mark.parametrize("name", ["lime", "shapley_sampling"])
def test_many_draws_over_words_come_near_to_exact_shapley_values(name: str) -> None:
    item = tiny_items()[0]
    draws = {"orders": 400} if name == "shapley_sampling" else {"masks": 20000, "kernel": 100.0, "ridge": 1e-6}
    found = baseline(name).build(**draws).explain(tiny_model(), item).order
    exact = baseline("kernel_shap").explainer.explain(tiny_model(), item).order
    if name == "shapley_sampling":
        np.testing.assert_allclose(found, exact, atol=0.05 * np.abs(exact).max())
    else:  # another weighting of the same sets
        assert np.corrcoef(found[~item.special], exact[~item.special])[0, 1] > 0.9


def test_shapley_values_of_patches_and_tokens_are_those_of_a_slow_version() -> None:
    item = fake_items()[0]
    explainer = speech_baseline("shapley_sampling").build(orders=2, frames=20, bins=4, batch=3)
    patches, context = explainer.values(fake_model(), item)
    owner, mean = explainer.patches(item.features.shape), utterance_mean(item.features)
    assert sorted({owner[t, m] for t, m in product((0, 39), (0, 7))}) == [0, 1, 2, 3]
    expected = np.zeros_like(patches)
    with torch.no_grad():
        for order in draw_orders(4, 2, item.explainer_seed):
            features = np.tile(mean, (len(item.features), 1))
            before = log_probability(item, torch.as_tensor(features)).numpy()
            for patch in order:
                features = np.where((owner == patch), item.features, features)
                after = log_probability(item, torch.as_tensor(features)).numpy()
                expected[patch] += (after - before) / 2
                before = after
    np.testing.assert_allclose(patches, expected, atol=1e-5)
    assert not np.triu(context.T, 0).any()
    with torch.no_grad():
        whole = log_probability(item, torch.as_tensor(item.features))
        alone = log_probability(item, torch.as_tensor(item.features), torch.zeros(len(item.tokens)))
    np.testing.assert_allclose(context.sum(0), whole - alone, atol=1e-4)
