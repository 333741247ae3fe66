"""A cache reaches a decoder by whichever name its version of transformers has for it."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import nn
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    GPT2Model,
    MusicgenDecoderConfig,
    Speech2TextConfig,
    WhisperConfig,
)
from transformers.cache_utils import Cache, DynamicCache, EncoderDecoderCache
from transformers.models.musicgen.modeling_musicgen import MusicgenDecoder
from transformers.models.speech_to_text.modeling_speech_to_text import Speech2TextDecoder
from transformers.models.whisper.modeling_whisper import WhisperDecoder

from earwitness.errors import ModelError
from earwitness.models.cache_argument import cached, take_either_name
from earwitness.models.kv_cache import decoding_cache

LAYERS, WIDTH, STEPS = 2, 16, 5
SIZES: dict[str, Any] = {"decoder_layers": LAYERS, "decoder_attention_heads": 2, "decoder_ffn_dim": 32}
IDS = torch.tensor([[3, 2, 4, 7, 5]])


def whisper() -> nn.Module:
    config = WhisperConfig(vocab_size=9, d_model=WIDTH, max_target_positions=STEPS, pad_token_id=0, **SIZES)
    return WhisperDecoder(config)


def speech_to_text() -> nn.Module:
    return Speech2TextDecoder(Speech2TextConfig(vocab_size=9, d_model=WIDTH, max_target_positions=STEPS, **SIZES))


def musicgen() -> nn.Module:
    sizes: dict[str, Any] = {"num_hidden_layers": LAYERS, "num_attention_heads": 2, "ffn_dim": 32, "num_codebooks": 1}
    return MusicgenDecoder(MusicgenDecoderConfig(vocab_size=9, hidden_size=WIDTH, **sizes))


class Before(nn.Module):
    """A decoder of before the name changed."""

    def forward(self, input_ids: Any, past_key_values: Any = None, **kwargs: Any) -> Any:
        return past_key_values


class Today(nn.Module):
    """A decoder that knows the name of today alone: what it does not know gets lost."""

    def forward(self, input_ids: Any, cache: Any = None, **kwargs: Any) -> Any:
        return cache


class Neither(nn.Module):
    def forward(self, input_ids: Any, memory: Any = None, **kwargs: Any) -> Any:
        return memory


@pytest.fixture(autouse=True)
def _an_old_name_is_an_error() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("error", ".*past_key_values", FutureWarning)
        yield


@pytest.mark.parametrize("build", [Before, Today])
def test_a_cache_arrives_under_the_old_name_and_under_the_new(build: Callable[[], nn.Module]) -> None:
    cache, decoder = DynamicCache(), build()
    assert decoder(IDS, **cached(decoder, cache)) is cache


@pytest.mark.parametrize("pass_on", [lambda decoder: cached(decoder, DynamicCache()), take_either_name])
def test_a_decoder_that_would_lose_the_cache_is_named(pass_on: Callable[[nn.Module], object]) -> None:
    with pytest.raises(ModelError, match="Neither takes no cache by the name cache or past_key_values"):
        pass_on(Neither())


@torch.no_grad()
@pytest.mark.parametrize("build", [whisper, speech_to_text, musicgen])
@pytest.mark.parametrize("empty", [lambda: decoding_cache(LAYERS, STEPS), lambda: both(DynamicCache(), DynamicCache())])
def test_steps_with_a_cache_are_the_whole_pass(build: Callable[[], nn.Module], empty: Callable[[], Cache]) -> None:
    torch.manual_seed(0)
    decoder, states, cache = build().eval(), torch.randn(1, 7, WIDTH), empty()
    whole = decoder(input_ids=IDS, encoder_hidden_states=states, **cached(decoder, None), use_cache=False)
    steps = [
        decoder(
            input_ids=IDS[:, step : step + 1], encoder_hidden_states=states, **cached(decoder, cache), use_cache=True
        ).last_hidden_state
        for step in range(STEPS)
    ]
    assert cache.get_seq_length() == STEPS
    torch.testing.assert_close(torch.cat(steps, 1), whole.last_hidden_state)


def both(own: Cache, cross: Cache) -> Cache:
    return EncoderDecoderCache(own, cross)


@pytest.mark.parametrize("build", [Before, Today])
def test_a_caller_of_before_reaches_a_decoder_of_either_name(build: Callable[[], nn.Module]) -> None:
    cache, decoder = DynamicCache(), build()
    take_either_name(decoder)
    assert decoder(IDS, past_key_values=cache) is cache
    assert decoder(input_ids=IDS, use_cache=False) is None


def test_without_it_a_decoder_of_today_loses_the_cache_of_such_a_caller() -> None:
    assert Today()(IDS, past_key_values=DynamicCache()) is None


@torch.no_grad()
@pytest.mark.parametrize("kind", [GPT2Model, GPT2LMHeadModel])
def test_a_language_model_called_by_the_old_name_gives_the_same_bits_and_no_warning(kind: type) -> None:
    torch.manual_seed(0)
    model = kind(GPT2Config(vocab_size=9, n_embd=WIDTH, n_layer=LAYERS, n_head=2, n_positions=8)).eval()
    plain = model(input_ids=IDS)[0]
    take_either_name(model)
    assert torch.equal(model(input_ids=IDS, past_key_values=None)[0], plain)
    cache = DynamicCache()
    halves = [model(input_ids=part, past_key_values=cache, use_cache=True)[0] for part in IDS.split(3, dim=1)]
    assert cache.get_seq_length() == IDS.shape[1]
    torch.testing.assert_close(torch.cat(halves, 1), plain)
