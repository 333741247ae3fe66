"""A decoder of transformers that is asked token by token: what it made of the sound and of earlier tokens is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from transformers.cache_utils import DynamicCache, EncoderDecoderCache

from earwitness.models.cache_argument import cached
from earwitness.models.shared_states import keys_and_values

if TYPE_CHECKING:
    from torch import Tensor, nn


VOCABULARIES = 6
"""Float32 values a word of the vocabulary that a step of a search holds for a row: logits, scores, copies of both."""


def bytes_of_utterance(decoder: Any, head: Any, states: Tensor, beams: int, steps: int) -> int:
    """Bytes that a search of so many steps holds for each utterance of encoder states [n, E, D]; rather more than less.

    Keys and values of its states and of its beams' tokens in each layer, and scores of every word.
    """
    layers, (_, positions, width) = len(decoder.layers), states.shape
    made = positions * (1 + 2 * layers) + 2 * layers * beams * steps
    return int(made * width * states.element_size() + VOCABULARIES * beams * head.out_features * 4)


class CachedDecoder:
    """A `StepwiseDecoder` over encoder states: one row of keys and values an utterance, however many beams it has."""

    def __init__(self, decoder: Any, head: nn.Module, states: Tensor, opening: Tensor) -> None:
        """Of encoder states [n, E, D], and what opens every transcript [n, P]."""
        self._decoder, self._head = decoder, head
        self._states, self._opening = states, opening
        # Rows are chosen by any integers, where transformers' types ask for one class of them.
        self._cache: Any = EncoderDecoderCache(DynamicCache(), keys_and_values(decoder, states))

    def start(self) -> Tensor:
        """Logits [n, V] of the first token of each utterance."""
        return self._ask(self._opening)

    def branch(self, each: int) -> None:
        """Let each utterance go on in so many rows, side by side."""
        rows = torch.arange(len(self._states), device=self._states.device)
        self._cache.self_attention_cache.reorder_cache(rows.repeat_interleave(each))

    def step(self, tokens: Tensor) -> Tensor:
        """Logits [R, V] of what follows the rows' latest tokens [R]."""
        return self._ask(tokens[:, None])

    def follow(self, rows: Tensor, utterances: Tensor | None) -> None:
        """Go on from rows [R'] of those before; `utterances` [n'] are those that stay, None being all of them."""
        self._cache.self_attention_cache.reorder_cache(rows)
        if utterances is not None:
            self._states = self._states[utterances]
            self._cache.cross_attention_cache.reorder_cache(utterances)

    def _ask(self, ids: Tensor) -> Tensor:
        given = cached(self._decoder, self._cache)
        states = self._decoder(input_ids=ids, encoder_hidden_states=self._states, **given, use_cache=True)
        logits: Tensor = self._head(states.last_hidden_state[:, -1])
        return logits
