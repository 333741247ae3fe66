from __future__ import annotations

import numpy as np
import pytest
import torch

from concept_baselines import concept_world
from earwitness.explaining.latents import directions, scaled
from earwitness.explaining.sparse import Selector, SparseAutoencoder, backward, of_batch, of_frame
from earwitness.explaining.training import Plan


def chosen(pre: torch.Tensor, k: int, batch: bool) -> torch.Tensor:
    """The dense form, by torch's own top k."""
    values = pre.relu()
    flat = values.flatten()[None] if batch else values
    top = flat.topk(k * len(pre) if batch else k)
    return torch.zeros_like(flat).scatter(1, top.indices, top.values).view_as(pre)


@pytest.mark.parametrize("batch", [False, True])
def test_the_features_and_gradients_by_hand_are_those_of_dense_autograd(batch: bool) -> None:
    rng = torch.Generator().manual_seed(0)
    frames = torch.randn(64, 12, generator=rng)
    sizes = ((40, 12), (40,), (40, 12))
    encoder, bias, decoder = (torch.randn(size, generator=rng).requires_grad_() for size in sizes)
    codes = chosen(frames @ encoder.T + bias, 5, batch)
    torch.autograd.backward((codes @ decoder - frames).square().mean())
    with torch.no_grad():
        pre = torch.addmm(bias, frames, encoder.T).numpy()
    found = Selector(5, of_batch if batch else of_frame)(pre)
    np.testing.assert_allclose(found.toarray(), codes.detach().numpy(), atol=1e-5)
    residual, gradients = backward(found, frames.numpy(), frames.numpy(), decoder.detach().numpy())
    np.testing.assert_allclose(residual, (codes @ decoder - frames).detach().numpy(), atol=1e-5)
    for mine, parameter in zip(gradients, (encoder, bias, decoder), strict=True):
        assert parameter.grad is not None
        assert np.abs(mine).max() > 0
        np.testing.assert_allclose(mine, parameter.grad.numpy(), atol=1e-5)


def test_the_auxiliary_loss_has_the_gradients_of_dense_autograd() -> None:
    frames = torch.from_numpy(scaled(concept_world()[1]).frames[:64].copy())
    model = SparseAutoencoder(40, 16, 3, seed=0, revived=4, weight=0.5, patience=100, clip=0.0)
    model._idle[:10] = 1000
    model.bias[:10] = -100.0  # never among the largest, so that they stay dead, but no candidates for revival either
    model.bias[5:10] = -1.0
    with torch.no_grad():
        pre = frames @ model.encoder.T + model.bias
        residual = chosen(pre, 3, False) @ model.decoder - frames
    dead = np.flatnonzero(model._idle + 64 * (chosen(pre, 3, False) == 0).all(0).numpy() > 100)
    dead = np.array([c for c in dead if not chosen(pre, 3, False)[:, c].any()])
    own = [parameter.clone().requires_grad_() for parameter in model.parameters]
    values = (frames @ own[0].T + own[1])[:, dead]
    again = chosen(values, min(4, len(dead)), False) @ own[2][dead]
    torch.autograd.backward(0.5 * (again + residual).square().mean())
    model.step(frames)
    assert model.dead == len(dead) > 0
    assert own[0].grad is not None
    with_dead = model.encoder.grad
    assert with_dead is not None
    np.testing.assert_allclose(with_dead[dead].numpy(), own[0].grad[dead].numpy(), atol=1e-5)


@pytest.mark.parametrize("largest", [0.05, 1e3])
def test_a_step_has_dense_autograd_s_gradients_clipped_as_torch_clips_those_of_the_error_summed_over_latents(
    largest: float,
) -> None:
    frames = torch.from_numpy(scaled(concept_world()[1]).frames[:64].copy())
    model = SparseAutoencoder(40, 16, 3, seed=0, clip=largest)
    model.offset += torch.linspace(-1, 1, 16)
    own = [parameter.clone().requires_grad_() for parameter in model.parameters]
    codes = chosen((frames - own[3]) @ own[0].T + own[1], 3, False)
    torch.autograd.backward((codes @ own[2] + own[3] - frames).square().sum(1).mean())
    with torch.no_grad():
        grad = own[2].grad
        assert grad is not None
        grad -= (grad * own[2]).sum(1, keepdim=True) * own[2]
    before = float(torch.nn.utils.clip_grad_norm_(own, largest))
    assert (before > largest) == (largest < 1)
    model.step(frames)
    for mine, theirs in zip(model.parameters, own, strict=True):
        assert mine.grad is not None
        assert theirs.grad is not None
        np.testing.assert_allclose(16 * mine.grad.numpy(), theirs.grad.numpy(), rtol=1e-4, atol=1e-6)


def test_dead_features_come_back() -> None:
    frames = scaled(concept_world()[1]).frames
    idle = {}
    for weight in (0.0, 1 / 32):
        model = SparseAutoencoder(64, 16, 4, seed=0, weight=weight)
        model.bias[:32] = -1.5
        model.fit(frames, Plan(epochs=25, batch=128, rate=4e-3))
        idle[weight] = int((model.codes(torch.from_numpy(frames)).toarray().max(0) == 0).sum())
    assert idle[1 / 32] < 0.5 * idle[0.0]


def test_the_decoder_starts_as_the_encoder_transposed_and_its_rows_keep_length_one() -> None:
    model = SparseAutoencoder(40, 16, 4, seed=3)
    np.testing.assert_array_equal(model.encoder.numpy(), model.decoder.numpy())
    np.testing.assert_array_equal(model.encoder.numpy(), directions(40, 16, 3))
    model.fit(scaled(concept_world()[1]).frames, Plan(epochs=1, batch=128))
    np.testing.assert_allclose(np.linalg.norm(model.decoder.numpy(), axis=1), 1, atol=1e-5)
    assert not np.array_equal(model.encoder.numpy(), model.decoder.numpy())
