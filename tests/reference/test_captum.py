"""Baselines that captum has, against captum: SmoothGrad, expected gradients, LIME and Shapley value sampling.

Captum is given the same random draws: its own are replaced while it runs.
`pytest -m reference tests/reference/test_captum.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from baselines import baseline, tiny_items, tiny_model
from earwitness.explaining.likelihood_gradients import likelihood_gradients
from earwitness.explaining.permutation_sampling import draw_orders
from earwitness.tracks.prompt import Encoded, PromptItem, log_likelihood, without_special
from reference.references import package
from speech_baselines import fake_items, fake_model, speech_baseline

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.reference

VERSION = "0.9.0"


def captum() -> Any:
    return package("captum", "captum.attr", VERSION)


def of_states(item: PromptItem) -> Callable[[torch.Tensor], torch.Tensor]:
    """The whole sound's log-likelihood [B] of states [B, N, D]."""
    model, codes = tiny_model(), torch.as_tensor(item.codes)[None]
    text = model.encode([item.prompt])
    mask = without_special([item], text.states)

    def forward(states: torch.Tensor) -> torch.Tensor:
        rows = len(states)
        encoded = Encoded(states, text.mask.expand(rows, -1))
        logits = model.logits(codes.expand(rows, -1, -1), encoded, mask.expand(rows, -1))
        return log_likelihood(logits, codes.expand(rows, -1, -1)).sum(-1)

    return forward


def of_words(item: PromptItem) -> Callable[[torch.Tensor], torch.Tensor]:
    """The whole sound's log-likelihood [B] under presence [B, W] of words."""
    model, codes = tiny_model(), torch.as_tensor(item.codes)[None]
    text, words = model.encode([item.prompt]), model.words([item.prompt])[0]

    def forward(present: torch.Tensor) -> torch.Tensor:
        rows = len(present)
        kept = torch.cat([present.float(), torch.zeros(rows, 1)], 1)[:, words]
        encoded = Encoded(text.states.expand(rows, -1, -1), text.mask.expand(rows, -1))
        return log_likelihood(model.logits(codes.expand(rows, -1, -1), encoded, kept), codes).sum(-1)

    return forward


def test_smooth_grad_on_states_is_captums(monkeypatch: pytest.MonkeyPatch) -> None:
    attr, item = captum(), tiny_items()[0]
    states = tiny_model().encode([item.prompt]).states
    noise = torch.randn(6, *states.shape[1:], generator=torch.Generator().manual_seed(item.explainer_seed))
    words = states[0][torch.as_tensor(~item.special)]
    deviation = float(0.15 * (words.max() - words.min()))
    monkeypatch.setattr(torch, "normal", lambda *_, **__: deviation * noise)
    tunnel = attr.NoiseTunnel(attr.Saliency(of_states(item)))
    theirs = tunnel.attribute(states, nt_samples=6, stdevs=deviation, abs=False)[0].abs().sum(-1).detach().numpy()
    expected = theirs * ~item.special
    found = baseline("smooth_grad").build(samples=6).explain(tiny_model(), item).weights
    np.testing.assert_allclose(found, expected / expected.max(), rtol=1e-4)


def test_smooth_grad_on_spectrograms_is_captums(monkeypatch: pytest.MonkeyPatch) -> None:
    attr, item, model = captum(), fake_items()[0], fake_model()
    features, tokens = torch.as_tensor(item.features)[None], torch.as_tensor(item.tokens)[None]
    noise = torch.randn(5, *item.features.shape, generator=torch.Generator().manual_seed(item.explainer_seed))
    deviation = float(0.15 * (features.max() - features.min()))
    monkeypatch.setattr(torch, "normal", lambda *_, **__: deviation * noise)
    found, _ = speech_baseline("smooth_grad").build(samples=5).gradients(model, item)
    for k in range(len(item.tokens)):
        tunnel = attr.NoiseTunnel(attr.Saliency(lambda rows, k=k: model.logits(rows, tokens)[:, k].log_softmax(-1)))
        theirs = tunnel.attribute(features, nt_samples=5, stdevs=deviation, abs=False, target=int(item.tokens[k]))
        torch.testing.assert_close(found[k], theirs[0], rtol=1e-4, atol=1e-6)


def test_expected_gradients_are_captums_gradient_shap_without_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    attr, item = captum(), tiny_items()[2]
    states = tiny_model().encode([item.prompt]).states
    explainer = baseline("expected_gradients").build(samples=7)
    references, places = explainer.draw(item, states[0])
    monkeypatch.setattr(np.random, "choice", lambda *_, **__: np.arange(7))
    monkeypatch.setattr(np.random, "uniform", lambda *_, **__: places.double().numpy())
    method = attr.GradientShap(of_states(item))
    theirs = method.attribute(states, baselines=references, n_samples=7, stdevs=0.0)[0].sum(-1).detach().numpy()
    found = explainer.explain(tiny_model(), item).order
    np.testing.assert_allclose(found, theirs * ~item.special, rtol=1e-3, atol=1e-4)


def test_gradients_at_points_are_captums_input_times_gradient_over_the_input() -> None:
    attr, item = captum(), tiny_items()[0]
    states = tiny_model().encode([item.prompt]).states
    found = likelihood_gradients(tiny_model(), item, states, 4).gradients[0] * states
    torch.testing.assert_close(
        found, attr.InputXGradient(of_states(item)).attribute(states).detach(), rtol=1e-4, atol=1e-5
    )


def test_shapley_value_sampling_over_words_is_captums() -> None:
    attr, item = captum(), tiny_items()[2]
    count = len(item.prompt.split())
    orders = draw_orders(count, 5, item.explainer_seed)
    method = attr.ShapleyValueSampling(of_words(item))
    method.permutation_generator = lambda *_: iter(orders.tolist())
    theirs = method.attribute(torch.ones(1, count), n_samples=5, perturbations_per_eval=1)[0].numpy()
    found = baseline("shapley_sampling").build(orders=5).explain(tiny_model(), item).order
    words = tiny_model().words([item.prompt])[0]
    frames = item.codes.shape[1]
    np.testing.assert_allclose(frames * found[words >= 0], theirs[words[words >= 0]], rtol=1e-3, atol=1e-3)


def test_shapley_value_sampling_over_patches_is_captums() -> None:
    attr, item, model = captum(), fake_items()[0], fake_model()
    explainer = speech_baseline("shapley_sampling").build(orders=3, frames=10, bins=4)
    features, tokens = torch.as_tensor(item.features)[None], torch.as_tensor(item.tokens)[None]
    owner = explainer.patches(item.features.shape)
    method = attr.ShapleyValueSampling(lambda rows: model.logits(rows, tokens)[:, 1].log_softmax(-1)[:, tokens[0, 1]])
    orders = draw_orders(int(owner.max()) + 1, 3, item.explainer_seed)
    method.permutation_generator = lambda *_: iter(orders.tolist())
    mean = torch.as_tensor(item.features.mean(0)).expand_as(features)
    mask = torch.as_tensor(owner)[None]
    theirs = method.attribute(features, baselines=mean.contiguous(), feature_mask=mask, n_samples=3)[0].numpy()
    patches, _ = explainer.values(model, item)
    np.testing.assert_allclose(patches[owner, 1], theirs, atol=1e-5)


def test_lime_over_words_is_captums_with_ridge_regression(monkeypatch: pytest.MonkeyPatch) -> None:
    attr, item = captum(), tiny_items()[2]
    count = len(item.prompt.split())
    drawn = baseline("lime").module.neighbours(count, 40, item.explainer_seed)
    rows = iter(torch.as_tensor(drawn).float()[:, None])

    class RidgeModel:
        def fit(self, data: Any) -> dict[str, float]:
            inputs, values, weights = (torch.cat(parts).numpy() for parts in zip(*data, strict=True))
            self.coefficients = Ridge(alpha=1.0).fit(inputs, values, sample_weight=weights).coef_
            return {}

        def representation(self) -> torch.Tensor:
            return torch.as_tensor(self.coefficients)[None]

    def similarity(
        original: torch.Tensor, changed: torch.Tensor, interpretable: torch.Tensor, **_: Any
    ) -> torch.Tensor:
        distance = 1 - torch.nn.functional.cosine_similarity(torch.ones_like(interpretable), interpretable)
        return (-(distance**2) / (2 * 0.25**2)).exp()

    method = attr.LimeBase(
        of_words(item),
        RidgeModel(),
        similarity,
        lambda *_, **__: next(rows),
        perturb_interpretable_space=True,
        from_interp_rep_transform=lambda interpretable, *_, **__: interpretable,
        to_interp_rep_transform=None,
    )
    theirs = method.attribute(torch.ones(1, count), n_samples=40)[0].numpy()
    found = baseline("lime").build(masks=40).explain(tiny_model(), item).order
    words, frames = tiny_model().words([item.prompt])[0], item.codes.shape[1]
    np.testing.assert_allclose(frames * found[words >= 0], theirs[words[words >= 0]], rtol=1e-2, atol=1e-2)
