"""The explainers that differentiate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from baselines import baseline, tiny_items, tiny_model
from earwitness.tracks.prompt import Encoded, PromptItem, log_likelihood


def likelihood(item: PromptItem, states: torch.Tensor) -> torch.Tensor:
    """Log-likelihood [F] of the item's codes given states [1, N, D], special tokens being out."""
    model, codes = tiny_model(), torch.as_tensor(item.codes)[None]
    text = model.encode([item.prompt])
    mask = torch.as_tensor(~item.special, dtype=torch.float32)[None]
    logits = model.logits(codes, Encoded(states, text.mask), mask)
    return log_likelihood(logits, codes)[0]


def attention_and_gradients(item: PromptItem, frames: int) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Each layer's attention [1, H, T, N], and the gradient of the first frames' log-likelihood by it."""
    model, codes = tiny_model(), torch.as_tensor(item.codes)[None]
    text = model.encode([item.prompt])
    states = text.states.clone().requires_grad_()
    mask = torch.as_tensor(~item.special, dtype=torch.float32)[None]
    forced = model.teacher_forced(codes, Encoded(states, text.mask), mask, attentions=True)
    total = log_likelihood(forced.logits, codes)[:, :frames].sum()
    gradients = torch.autograd.grad(total, forced.attentions)
    return [each.detach() for each in forced.attentions], list(gradients)


def test_gradient_times_input_is_the_slope_along_the_tokens_state() -> None:
    item, frame, token, step = tiny_items()[0], 5, 1, 1e-2
    states = tiny_model().encode([item.prompt]).states
    more, less = states.clone(), states.clone()
    more[0, token] *= 1 + step
    less[0, token] *= 1 - step
    slope = (likelihood(item, more) - likelihood(item, less))[frame] / (2 * step)
    found = baseline("gradient_input").build(window=1, average="none", absolute=False).explain(tiny_model(), item)
    assert found.order is not None
    np.testing.assert_allclose(found.order[frame, token], slope.item(), rtol=2e-2)


def test_a_window_holds_the_sum_of_its_frames() -> None:
    item = tiny_items()[2]
    single = (
        baseline("gradient_input").build(window=1, average="none", absolute=False).explain(tiny_model(), item).order
    )
    fours = baseline("gradient_input").build(window=4, average="none", absolute=False).explain(tiny_model(), item).order
    np.testing.assert_allclose(fours[4:8], np.tile(single[4:8].sum(0), (4, 1)), atol=1e-4)


def test_integrated_gradients_add_up_to_the_likelihood_over_that_of_the_null_state() -> None:
    item = tiny_items()[0]
    states = tiny_model().encode([item.prompt]).states
    whole = likelihood(item, states) - likelihood(item, torch.zeros_like(states))
    found = baseline("integrated_gradients").build(steps=256, window=6).attributions(tiny_model(), [item])[0]
    np.testing.assert_allclose(found.sum(1)[[0, 6]], whole.view(2, 6).sum(1), rtol=2e-2, atol=2e-2)


def test_gradient_attention_is_positive_where_attention_helps_in_any_layer() -> None:
    item = tiny_items()[0]
    model, frames = tiny_model(), item.codes.shape[1]
    maps = [(a * g).clamp(min=0)[0].mean(0) for a, g in zip(*attention_and_gradients(item, frames), strict=True)]
    expected = (sum(maps) / len(maps))[:frames].numpy() * ~item.special
    found = baseline("gradient_attention").build(average="none").explain(model, item).weights
    np.testing.assert_allclose(found, expected / expected.max(), atol=1e-5)


@pytest.mark.parametrize("share", [1, 2])
def test_grad_cam_weights_the_heads_of_the_last_layer_by_their_mean_gradient(share: int) -> None:
    item = tiny_items()[0]
    frames = item.codes.shape[1] // share
    attentions, gradients = attention_and_gradients(item, frames)
    attention, gradient = attentions[-1][0].numpy(), gradients[-1][0].numpy()
    expected = np.zeros(attention.shape[1:])
    for t, i in np.ndindex(expected.shape):
        heads = [attention[h, t, i] * gradient[h].mean() for h in range(len(attention))]
        expected[t, i] = max(0.0, sum(heads) / len(heads))
    expected = expected[: item.codes.shape[1]] * ~item.special
    asked = replace(item, frames=(0, frames))
    found = baseline("grad_cam").build(average="none").explain(tiny_model(), asked).weights
    assert expected.any()
    np.testing.assert_allclose(found, expected / expected.max(), atol=1e-5)


def test_chefers_relevance_of_one_layer_is_checked_by_hand() -> None:
    own = torch.tensor([[[1.0, 0.0], [0.5, 0.5]]])
    cross = torch.tensor([[[2.0, 0.0], [0.0, 4.0]]])
    # R_ss = I + A = [[2, 0], [.5, 1.5]]; off the identity [[1, 0], [.5, .5]] has rows that sum to 1 already, so
    # R_st = (itself + I) C = [[2, 0], [.5, 1.5]] C.
    expected = [[4.0, 0.0], [1.0, 6.0]]
    torch.testing.assert_close(baseline("chefer").module.accumulate([own], [cross])[0], torch.tensor(expected))


def test_recording_self_attention_leaves_the_pass_as_it_was() -> None:
    item, model = tiny_items()[2], tiny_model()
    codes, text = torch.as_tensor(item.codes)[None], model.encode([item.prompt])
    plain = model.logits(codes, text)
    with baseline("chefer").module.recorded_self_attention(model.module) as record:
        torch.testing.assert_close(model.logits(codes, text), plain, rtol=1e-5, atol=1e-5)
    steps = codes.shape[-1] + model.codebooks - 1
    assert [tuple(layer.shape[2:]) for layer in record] == [(steps, steps)] * len(record)
    torch.testing.assert_close(model.logits(codes, text), plain, rtol=0, atol=0)
