"""SmoothGrad, expected gradients, LIME, Shapley value sampling and Whisper's word times, against slow and kept code."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from sklearn.metrics import pairwise_distances

from baselines import baseline, tiny_items, tiny_model
from earwitness.explaining.permutation_sampling import draw_orders
from earwitness.tracks.prompt import Encoded, PromptItem, log_likelihood
from speech_baselines import cut, fake_items, fake_model, speech_baseline


def asked_likelihood(item: PromptItem, states: torch.Tensor) -> torch.Tensor:
    """Log-likelihood of the asked frames given states [1, N, D], special tokens being out."""
    model, codes = tiny_model(), torch.as_tensor(item.codes)[None]
    mask = torch.as_tensor(~item.special, dtype=torch.float32)[None]
    logits = model.logits(codes, Encoded(states, model.encode([item.prompt]).mask), mask)
    return log_likelihood(logits, codes)[0, item.asked].sum()


def slope(item: PromptItem, states: torch.Tensor) -> np.ndarray:
    """Gradient [N, D] of the asked frames' likelihood at states [1, N, D]."""
    own = states.detach().clone().requires_grad_()
    (gradient,) = torch.autograd.grad(asked_likelihood(item, own), own)
    found: np.ndarray = gradient[0].double().numpy()
    return found


def test_smooth_grad_of_a_prompt_is_the_mean_of_the_noisy_copies_gradients() -> None:
    item, samples = tiny_items()[0], 7
    states = tiny_model().encode([item.prompt]).states
    drawn = torch.randn((samples, *states.shape[1:]), generator=torch.Generator().manual_seed(item.explainer_seed))
    deviation = 0.2 * (states.max() - states.min())
    expected = np.mean([slope(item, states + deviation * noise) for noise in drawn], axis=0)
    found = baseline("smooth_grad").build(samples=samples, noise=0.2, batch=3).gradients(tiny_model(), item)
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


def test_smooth_grad_without_noise_is_captums_saliency() -> None:
    from captum.attr import Saliency

    item = tiny_items()[0]
    states = tiny_model().encode([item.prompt]).states.detach().requires_grad_()
    by_captum = Saliency(lambda rows: asked_likelihood(item, rows)[None]).attribute(states, abs=False)
    found = baseline("smooth_grad").build(samples=1, noise=0.0).gradients(tiny_model(), item)
    np.testing.assert_allclose(found, by_captum[0].detach().numpy(), atol=1e-5)


def token_log_probabilities(features: torch.Tensor, mask: torch.Tensor, item: Any) -> torch.Tensor:
    """[O] of the item's tokens on features [T, M] under a mask [O] of earlier tokens."""
    tokens = torch.as_tensor(item.tokens)[None]
    logits = fake_model().logits(features[None], tokens, mask[None])[0]
    return logits.log_softmax(-1)[range(len(item.tokens)), item.tokens]


def slopes(item: Any, features: torch.Tensor, mask: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Gradients of each token's log-probability: [O, T, M] by cells, [O, O] by the presence of earlier tokens."""
    cells, context = [], []
    for k in range(len(item.tokens)):
        rows, own = features.clone().requires_grad_(), mask.clone().requires_grad_()
        score = token_log_probabilities(rows, own, item)[k]
        by_cell, by_token = torch.autograd.grad(score, (rows, own), materialize_grads=True)
        cells.append(by_cell.double().numpy())
        context.append(by_token.double().numpy())
    return np.stack(cells), np.tril(np.stack(context), -1)


def test_smooth_grad_of_an_utterance_is_the_mean_of_the_noisy_copies_gradients() -> None:
    item, samples = cut(fake_items()[0], tokens=4), 5
    features, present = torch.as_tensor(item.features), torch.ones(4)
    drawn = torch.randn((samples, *features.shape), generator=torch.Generator().manual_seed(item.explainer_seed))
    deviation = 0.15 * (features.max() - features.min())
    each = [slopes(item, features + deviation * noise, present) for noise in drawn]
    cells, context = speech_baseline("smooth_grad").build(samples=samples, batch=2).gradients(fake_model(), item)
    np.testing.assert_allclose(cells, np.mean([one for one, _ in each], axis=0), atol=1e-4)
    np.testing.assert_allclose(context, np.mean([one for _, one in each], axis=0), atol=1e-4)


def test_expected_gradients_are_the_mean_over_references_and_places_on_the_way() -> None:
    item, samples = cut(fake_items()[0], tokens=4), 6
    explainer = speech_baseline("expected_gradients").build(samples=samples, batch=4)
    features, present = torch.as_tensor(item.features), torch.ones(4)
    frames, ways = explainer.draws(item)
    cells, context = np.zeros((4, *item.features.shape)), np.zeros((4, 4))
    for order, way in zip(frames, ways, strict=True):
        reference = features[torch.as_tensor(order)]
        cells += slopes(item, reference + way * (features - reference), present)[0] * (features - reference).numpy()
        context += slopes(item, features, way * present)[1]
    found_cells, found_context = explainer.attributions(fake_model(), item)
    np.testing.assert_allclose(found_cells, cells / samples, atol=1e-4)
    np.testing.assert_allclose(found_context, context / samples, atol=1e-4)


def test_expected_gradients_come_to_what_the_references_lack() -> None:
    item = cut(fake_items()[0], tokens=3)
    explainer = speech_baseline("expected_gradients").build(samples=600)
    features, present = torch.as_tensor(item.features), torch.ones(3)
    with torch.no_grad():
        whole = token_log_probabilities(features, present, item)
        drawn = explainer.draws(item).frames
        lacking = [token_log_probabilities(features[torch.as_tensor(row)], present, item) for row in drawn]
    gain = (whole - torch.stack(lacking).mean(0)).numpy()
    total = explainer.attributions(fake_model(), item)[0].sum((1, 2))
    np.testing.assert_allclose(total, gain, atol=0.15 * np.abs(gain).max() + 0.02)


def test_limes_fit_is_scikit_learns_and_its_kernel_that_of_the_released_code() -> None:
    lime = baseline("lime")
    present = lime.module.neighbours(6, 300, 3)
    assert present[0].all()
    assert not present[1:].all(1).any()
    sizes = (~present[1:]).sum(1)
    assert set(sizes) == set(range(1, 7))
    values = np.random.default_rng(0).normal(size=300) + present @ np.arange(6)
    distance = pairwise_distances(present.astype(float), present[:1].astype(float), metric="cosine").ravel() * 100
    weights = np.sqrt(np.exp(-(distance**2) / 25.0**2))
    np.testing.assert_allclose(lime.module.proximity(present, 25.0), weights, atol=1e-12)
    expected = Ridge(alpha=1.0, fit_intercept=True).fit(present, values, sample_weight=weights).coef_
    np.testing.assert_allclose(lime.build().fit(present, values), expected, atol=1e-9)


def test_lime_asks_each_set_once_and_every_draw_counts() -> None:
    item, model = tiny_items()[0], tiny_model()
    lime = baseline("lime")
    (words,) = model.words([item.prompt])
    present = lime.module.neighbours(int(words.max()) + 1, 40, item.explainer_seed)
    codes, text = torch.as_tensor(item.codes)[None], model.encode([item.prompt])
    values = []
    with torch.no_grad():
        for row in present:
            mask = torch.as_tensor(np.append(row, False)[words], dtype=torch.float32)[None]
            values.append(log_likelihood(model.logits(codes, text, mask), codes)[0, item.asked].sum().item())
    explainer = lime.build(samples=40)
    expected = explainer.fit(present, np.array(values))
    order = explainer.explain(model, item).order
    assert order is not None
    np.testing.assert_allclose(order[~item.special], expected[words[words >= 0]], atol=2e-3)


def test_shapley_sampling_is_captums_in_the_same_orders() -> None:
    from captum.attr import ShapleyValueSampling

    item, model, orders = tiny_items()[0], tiny_model(), 5
    (words,) = model.words([item.prompt])
    count = int(words.max()) + 1
    codes, text = torch.as_tensor(item.codes)[None], model.encode([item.prompt])

    def likelihood(present: torch.Tensor) -> torch.Tensor:
        mask = torch.cat([present, torch.zeros(1, 1)], dim=1)[:, torch.as_tensor(words)]
        return log_likelihood(model.logits(codes, text, mask), codes)[0, item.asked].sum()[None]

    drawn = draw_orders(count, orders, item.explainer_seed).tolist()
    captums = ShapleyValueSampling(likelihood)
    captums.permutation_generator = lambda *_: iter(drawn)
    with torch.no_grad():
        expected = captums.attribute(torch.ones(1, count), baselines=0, n_samples=orders)[0].numpy()
    found = baseline("shapley_sampling").build(orders=orders).explain(model, item).order
    assert found is not None
    np.testing.assert_allclose(found[~item.special], expected[words[words >= 0]], atol=2e-3)


def test_shapley_sampling_over_patches_is_captums_in_the_same_orders() -> None:
    from captum.attr import ShapleyValueSampling

    item, model = fake_items()[0], fake_model()
    explainer = speech_baseline("shapley_sampling").build(orders=3, frames=10, bins=4)
    features, tokens = torch.as_tensor(item.features)[None], torch.as_tensor(item.tokens)[None]
    owner = explainer.patches(item.features.shape)
    captums = ShapleyValueSampling(lambda rows: model.logits(rows, tokens)[:, 1].log_softmax(-1)[:, tokens[0, 1]])
    orders = draw_orders(int(owner.max()) + 1, 3, item.explainer_seed)
    captums.permutation_generator = lambda *_: iter(orders.tolist())
    mean = torch.as_tensor(item.features.mean(0)).expand_as(features).contiguous()
    mask = torch.as_tensor(owner)[None]
    with torch.no_grad():
        expected = captums.attribute(features, baselines=mean, feature_mask=mask, n_samples=3)[0].numpy()
    found, _ = explainer.values(model, item)
    np.testing.assert_allclose(found[owner, 1], expected, atol=1e-5)


@pytest.mark.parametrize("shape", [(3, 5, 40), (2, 4, 3), (1, 1, 20)])
def test_word_times_are_those_of_transformers(shape: tuple[int, int, int]) -> None:
    from transformers.models.whisper.generation_whisper import _dynamic_time_warping, _median_filter

    attention = np.random.default_rng(sum(shape)).dirichlet(np.ones(shape[2]), size=shape[:2])
    module = speech_baseline("word_times").module
    weights = torch.as_tensor(attention)
    deviation = weights.std(dim=-2, keepdim=True, unbiased=False)
    scores = (weights - weights.mean(dim=-2, keepdim=True)) / torch.where(deviation > 0, deviation, 1.0)
    expected = _median_filter(scores[None], 7)[0].mean(dim=0).numpy()
    found = module.sharpened(attention, 7)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    for own, theirs in zip(module.warped(-found), _dynamic_time_warping(-expected), strict=True):
        np.testing.assert_array_equal(own, theirs)


def test_word_times_give_each_token_a_stretch_and_leave_no_frame_out() -> None:
    item = fake_items()[0]
    said = speech_baseline("word_times").explainer.explain(fake_model(), item).spectrogram[..., 0]
    assert (said.sum(0) >= 1).all()
    for row in said:
        frames = np.flatnonzero(row)
        assert len(frames)
        assert (np.diff(frames) == 1).all()
    assert (np.diff([np.flatnonzero(row)[0] for row in said]) >= 0).all()


def test_a_median_over_an_even_number_of_frames_is_refused() -> None:
    from pydantic import TypeAdapter, ValidationError

    annotation = type(speech_baseline("word_times").explainer).__annotations__["filter"]
    found = eval(annotation, vars(speech_baseline("word_times").module)) if isinstance(annotation, str) else annotation
    with pytest.raises(ValidationError, match="odd"):
        TypeAdapter(found).validate_python(8)
