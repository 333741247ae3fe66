from __future__ import annotations

import numpy as np
import torch

from baselines import baseline, tiny_items, tiny_model
from earwitness.explaining.attention_rollout import encoder_rollout, read_self_attention, rollout
from speech_baselines import speech_baseline


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double().softmax(-1)


def slow(own: list[np.ndarray], cross: list[np.ndarray]) -> np.ndarray:
    """Abnar and Zuidema's product over one graph of sources and positions, a layer's attentions one after another."""
    steps, sources = cross[0].shape
    whole = np.eye(sources + steps)
    for among, read in zip(own, cross, strict=True):
        for attention in (np.hstack([np.zeros((steps, sources)), among]), np.hstack([read, np.zeros((steps, steps))])):
            layer = np.eye(sources + steps)
            layer[sources:] = (layer[sources:] + attention) / 2
            whole = layer @ whole
    return whole[sources:]


def test_rollout_is_the_product_over_the_whole_graph() -> None:
    own, cross = list(drawn(3, 4, 4)), list(drawn(3, 4, 5, seed=1))
    found = rollout(own, cross)
    expected = slow([each.numpy() for each in own], [each.numpy() for each in cross])
    np.testing.assert_allclose(found.sources, expected[:, :5])
    np.testing.assert_allclose(found.positions, expected[:, 5:])
    np.testing.assert_allclose(found.sources.sum(-1) + found.positions.sum(-1), 1)


def test_rollout_of_an_encoder_is_the_product_of_its_layers() -> None:
    layers = drawn(2, 3, 3)
    half = (layers + torch.eye(3)) / 2
    torch.testing.assert_close(encoder_rollout(list(layers)), half[1] @ half[0])


def test_reading_self_attention_leaves_the_pass_as_it_is_and_sees_what_another_way_sees() -> None:
    item, model = tiny_items()[2], tiny_model()
    codes, text = torch.as_tensor(item.codes)[None], model.encode([item.prompt])
    plain = model.logits(codes, text)
    with baseline("chefer").module.recorded_self_attention(model.module) as other:
        model.logits(codes, text)
    with read_self_attention(model.module) as record:
        assert torch.equal(model.logits(codes, text), plain)
    assert len(record) == len(other) > 1
    for found, expected in zip(record, other, strict=True):
        torch.testing.assert_close(found, expected.mean(1), rtol=1e-5, atol=1e-6)
    model.logits(codes, text)
    assert len(record) == len(other)


def test_a_prompts_map_is_the_rollout_of_its_own_attention() -> None:
    item, model = tiny_items()[2], tiny_model()
    codes, text = torch.as_tensor(item.codes)[None], model.encode([item.prompt])
    with baseline("chefer").module.recorded_self_attention(model.module) as own:
        cross = model.teacher_forced(codes, text, attentions=True).attentions
    expected = slow(
        [each[0].mean(0).detach().numpy() for each in own], [each[0].mean(0).detach().numpy() for each in cross]
    )
    frames = expected[: item.codes.shape[1], : len(item.tokens)] * ~item.special
    found = baseline("attention_rollout").build(average="none").explain(model, item).weights
    np.testing.assert_allclose(found, frames / frames.max(), atol=1e-5)


def test_what_goes_to_no_token_goes_to_those_that_open_the_transcript() -> None:
    prefix = torch.tensor([[0.0, 0.0, 0.0], [0.5, 0.0, 0.0], [0.25, 0.5, 0.0]])
    found = speech_baseline("attention_rollout").module.with_opening(prefix)
    assert found.tolist() == [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.25, 0.25, 0.5]]
