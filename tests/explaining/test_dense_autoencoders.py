from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
import torch

from concept_baselines import concept_baseline, concept_world
from concept_fakes import FakeConceptModel
from earwitness.explaining.latents import scaled
from earwitness.tracks.concept import ConceptItem

ITEM = concept_world()[1]


def frames_of(item: ConceptItem) -> tuple[torch.Tensor, np.ndarray]:
    """Scaled frames [T, D], and the latents [T, D] that they are of."""
    return torch.from_numpy(scaled(item).frames), item.train.reshape(-1, item.train.shape[-1])


def moved(name: str) -> tuple[Any, Any]:
    """An explainer, and weights of it that are not where training starts."""
    explainer = concept_baseline(name)
    weights, rng = explainer.weights(40, 16, 0), torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in weights.all:
            parameter += 0.1 * torch.randn(parameter.shape, generator=rng)
        weights.bias -= 0.5
    return explainer, weights


def test_a_gated_dictionary_is_open_where_its_gates_are_and_as_large_as_its_magnitudes() -> None:
    explainer, weights = moved("sae_gated")
    frames, latents = frames_of(ITEM)
    with torch.no_grad():
        way = (frames - weights.offset) @ weights.encoder.T
        sizes = weights.others["scale"].exp() * way + weights.others["size"]
        active = ((way + weights.bias > 0) & (sizes > 0)).numpy()
        made = (active * sizes.numpy()) @ weights.decoder.numpy() + weights.offset.numpy()
    assert 0.01 < active.mean() < 0.9
    found = explainer.dictionary(weights, scaled(ITEM))
    assert ((found.encode(latents) > 0) != active).mean() < 1e-4
    expected = made * scaled(ITEM).scale + scaled(ITEM).offset
    assert np.abs(found.decode(found.encode(latents)) - expected).mean() < 1e-3


def test_a_jumprelu_dictionary_is_x_above_each_threshold() -> None:
    explainer, weights = moved("sae_jumprelu")
    frames, latents = frames_of(ITEM)
    with torch.no_grad():
        pre, threshold = weights.pre(frames), weights.others["threshold"]
        z = (pre * (pre > threshold)).numpy()
        error = float(weights.error(torch.from_numpy(z), frames))
    found = explainer.dictionary(weights, scaled(ITEM))
    features = found.encode(latents)
    assert ((features > 0) != (z > 0)).mean() < 1e-4
    rest = (found.decode(features) - latents) / scaled(ITEM).scale
    assert np.square(rest).sum(1).mean() == pytest.approx(error, rel=1e-3)
    explainer.penalty = 0.0
    assert explainer.loss(weights, frames, 1.0).item() == pytest.approx(error, rel=1e-5)


def test_gradients_of_thresholds_are_the_published_estimate() -> None:
    module = sys.modules[type(concept_baseline("sae_jumprelu")).__module__]
    pre = torch.tensor([[1.2, 0.9], [1.3, 2.0]])
    threshold = torch.tensor([1.0, 1.0], requires_grad=True)
    upstream = torch.tensor([[3.0, 5.0], [7.0, 11.0]])
    # Of bandwidth .5, the frames within .25 of the threshold count: 1.2 of the first feature, .9 of the second.
    module.Jump.apply(pre, threshold, 0.5).backward(upstream)
    assert threshold.grad is not None
    assert threshold.grad.tolist() == pytest.approx([-3.0 * 1.0 / 0.5, -5.0 * 1.0 / 0.5])
    threshold.grad = None
    module.Step.apply(pre, threshold, 0.5).backward(upstream)
    assert threshold.grad is not None
    assert threshold.grad.tolist() == pytest.approx([-3.0 / 0.5, -5.0 / 0.5])


def test_as_many_features_of_jumprelu_are_active_as_are_asked_for() -> None:
    found = concept_baseline("sae_jumprelu", features=48, k=5, epochs=40, batch=64).fit(FakeConceptModel(), ITEM, 0)
    active = (found.encode(frames_of(ITEM)[1]) > 0).sum(1).mean()
    assert active == pytest.approx(5, rel=0.25)


def test_each_nested_dictionary_of_matryoshka_reconstructs_by_itself() -> None:
    explainer, weights = moved("sae_matryoshka")
    frames, _ = frames_of(ITEM)
    with torch.no_grad():
        z = explainer.active(weights, frames[:64])
        assert int((z > 0).sum()) <= 8 * 64
        errors = []
        for end in (2, 5, 10, 20, 40):
            some = torch.zeros_like(z)
            some[:, :end] = z[:, :end]
            errors.append(float(weights.error(some, frames[:64])))
        assert float(explainer.loss(weights, frames[:64], 0.5)) == pytest.approx(np.mean(errors), rel=1e-4)


@pytest.mark.parametrize("name", ["sae_jumprelu", "sae_gated", "sae_matryoshka"])
def test_gradients_are_clipped_and_rows_of_the_decoder_keep_their_length(name: str) -> None:
    explainer, weights = moved(name)
    weights.settle()
    frames, _ = frames_of(ITEM)
    explainer.gradients(weights, frames[:64], 1.0)
    norm = torch.sqrt(sum((parameter.grad.square().sum() for parameter in weights.all), torch.zeros(())))
    assert float(norm) == pytest.approx(1.0, abs=1e-3)
    along = (weights.decoder.grad * weights.decoder).sum(1).abs().max()
    assert along.item() < 1e-5
    explainer.clip = 0.0
    explainer.gradients(weights, frames[:64], 1.0)
    assert float(torch.linalg.vector_norm(weights.encoder.grad)) > 1.0
