"""States that rows share are attended to as copies of them would be, and their keys and values are made once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

from earwitness.models import shared_states, speech2text, whisper
from earwitness.models.shared_states import NAME, keys_and_values, shared_attention
from tiny_speech import tiny_speech2text, tiny_whisper

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from earwitness.models.encoder_decoder import EncoderDecoder

HEADS, WIDTH, POSITIONS = 2, 4, 7


class Cross(nn.Module):
    """What transformers' attention interface reads of a layer."""

    is_causal = False


@pytest.fixture(scope="module", params=["speech2text", "whisper"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> EncoderDecoder:
    folder: Path = tmp_path_factory.mktemp(request.param)
    if request.param == "whisper":
        return whisper.from_pretrained(str(tiny_whisper(folder)))
    return speech2text.from_pretrained(str(tiny_speech2text(folder)))


def drawn(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.mark.parametrize(("states", "each", "length"), [(1, 5, 3), (2, 3, 1), (3, 1, 4), (4, 2, 2)])
def test_shared_states_are_attended_to_as_their_copies(states: int, each: int, length: int) -> None:
    query = drawn(states * each, HEADS, length, WIDTH).requires_grad_()
    key, value = (drawn(states, HEADS, POSITIONS, WIDTH).mul(scale).requires_grad_() for scale in (1, 2))
    found, _ = shared_attention(Cross(), query, key, value, None, scaling=0.3)
    copied_key, copied_value = (tensor.repeat_interleave(each, 0) for tensor in (key, value))
    weights = (query @ copied_key.transpose(2, 3) * 0.3).softmax(-1)
    literal = (weights @ copied_value).transpose(1, 2)
    torch.testing.assert_close(found, literal)
    for ours, theirs in zip(
        *(torch.autograd.grad(each.square().sum(), (query, key, value)) for each in (found, literal)), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


def test_keys_and_values_are_those_of_each_layer(model: EncoderDecoder) -> None:
    states = drawn(2, 9, 16)
    decoder: Any = model.module.model.decoder  # type: ignore[union-attr]
    cache = keys_and_values(decoder, states)
    for layer, decoding in zip(cache.layers, decoder.layers, strict=True):
        attention = decoding.encoder_attn
        for kept, project in ((layer.keys, attention.k_proj), (layer.values, attention.v_proj)):
            assert kept.shape == (2, attention.num_heads, 9, attention.head_dim)
            torch.testing.assert_close(kept.transpose(1, 2).flatten(2), project(states))


@pytest.mark.parametrize("of_values_biased", [True, False])
def test_states_are_attended_to_as_their_keys_and_values(of_values_biased: bool) -> None:
    layer: Any = Cross()
    layer.k_proj = nn.Linear(HEADS * WIDTH, HEADS * WIDTH)
    layer.v_proj = nn.Linear(HEADS * WIDTH, HEADS * WIDTH, bias=of_values_biased)
    query = drawn(3, HEADS, 5, WIDTH).requires_grad_()
    states = drawn(3, POSITIONS, HEADS * WIDTH).requires_grad_()
    found, _ = shared_attention(layer, query, states, states, None, scaling=0.3)
    key, value = (
        project(states).unflatten(2, (HEADS, WIDTH)).transpose(1, 2) for project in (layer.k_proj, layer.v_proj)
    )
    literal = ((query @ key.transpose(2, 3) * 0.3).softmax(-1) @ value).transpose(1, 2)
    torch.testing.assert_close(found, literal)
    pairs = zip(*(torch.autograd.grad(each.square().sum(), (query, states)) for each in (found, literal)), strict=True)
    for ours, theirs in pairs:
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("tokens", [[[4]], [[4, 6, 5]], [[4, 6, 5, 9, 4, 7]]])
def test_logits_without_keys_are_those_with_them(
    model: EncoderDecoder, tokens: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    features, asked = drawn(4, 40, model.bins), torch.tensor(tokens)
    usual = model.logits(features, asked)
    monkeypatch.setattr(shared_states, "WORTHWHILE", 1)
    short = 2 * (len(model.prompt) + len(tokens[0]) - 1) <= 8
    assert rows_projected(model, lambda: model.logits(features, asked)) == (set() if short else {4})
    torch.testing.assert_close(model.logits(features, asked), usual, atol=1e-5, rtol=1e-5)


def rows_projected(model: EncoderDecoder, run: Any) -> set[int]:
    """Rows of states that keys of cross-attention are made of while something runs."""
    seen: set[int] = set()
    decoder: Any = model.module.model.decoder  # type: ignore[union-attr]
    hooks = [
        layer.encoder_attn.k_proj.register_forward_hook(lambda module, args, output: seen.add(len(args[0])))
        for layer in decoder.layers
    ]
    run()
    for hook in hooks:
        hook.remove()
    return seen


def test_a_spectrogram_under_many_masks_has_its_keys_made_once(model: EncoderDecoder) -> None:
    features, tokens = drawn(1, 40, model.bins), torch.tensor([[4, 6, 5]])
    assert rows_projected(model, lambda: model.logits(features, tokens, torch.ones(6, 3))) == {1}
    assert rows_projected(model, lambda: model.logits(features.repeat(6, 1, 1), tokens)) == {6}


def test_beams_of_an_utterance_have_its_keys_made_once(model: EncoderDecoder) -> None:
    assert rows_projected(model, lambda: model.transcribe(drawn(3, 40, model.bins), 5)) == {3}


def test_the_words_matrix_is_not_copied_for_each_row(model: EncoderDecoder) -> None:
    given = []
    head: Any = model.module.get_output_embeddings()  # type: ignore[operator]
    hook = head.register_forward_hook(lambda module, args, output: given.append(args[0].is_contiguous()))
    model.logits(drawn(3, 40, model.bins), torch.tensor([[4, 6, 5]]))
    hook.remove()
    assert given == [True]


def test_the_module_attends_as_it_did_once_a_pass_is_over(model: EncoderDecoder) -> None:
    usual = model.module.config._attn_implementation  # type: ignore[union-attr]
    assert usual != NAME
    model.logits(drawn(1, 40, model.bins), torch.tensor([[4, 6, 5]]), torch.ones(6, 3))
    model.transcribe(drawn(1, 40, model.bins), 2)
    assert model.module.config._attn_implementation == usual  # type: ignore[union-attr]
