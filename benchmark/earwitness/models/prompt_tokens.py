"""The tokens of prompts: their texts, which are special, and the word that each belongs to."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from earwitness.errors import InvalidItemError, ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


class _Tokens(NamedTuple):
    ids: tuple[int, ...]
    names: tuple[str, ...]
    special: tuple[bool, ...]
    spans: tuple[tuple[int, int], ...]


class PromptTokens:
    """A fast tokenizer of transformers, asked about one prompt at a time.

    Every method raises InvalidItemError where a prompt has more tokens than the tokenizer's `model_max_length`.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._read = lru_cache(maxsize=4096)(self._tokenize)

    def texts(self, prompt: str) -> list[str]:
        """What each token covers of the prompt, or the token's own name where it covers nothing."""
        read = self._read(prompt)
        return [
            name if special else prompt[start:end].strip() or name
            for name, special, (start, end) in zip(read.names, read.special, read.spans, strict=True)
        ]

    def special(self, prompt: str) -> np.ndarray:
        """[N] bool, True where a token is no part of the text."""
        return np.array(self._read(prompt).special, dtype=bool)

    def words(self, prompt: str) -> np.ndarray:
        """[N] int, index of the whitespace-separated word that a token belongs to, -1 where special.

        A token that covers only the space before a word belongs to that word.
        """
        read = self._read(prompt)
        ends = [match.end() for match in re.finditer(r"\S+", prompt)]
        index = [
            -1 if special or not ends else min(_count_until(ends, start, end), len(ends) - 1)
            for special, (start, end) in zip(read.special, read.spans, strict=True)
        ]
        return np.array(index, dtype=np.int64)

    def padded(self, prompts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Ids [B, N] and mask [B, N] of prompts, padded at the right to the longest."""
        ids = [self._read(prompt).ids for prompt in prompts]
        longest = max(1, *map(len, ids)) if ids else 1
        pad = self._tokenizer.pad_token_id or 0
        padded = torch.tensor([[*row, *[pad] * (longest - len(row))] for row in ids], dtype=torch.long)
        lengths = torch.tensor([len(row) for row in ids])
        return padded, torch.arange(longest)[None] < lengths[:, None]

    def _tokenize(self, prompt: str) -> _Tokens:
        read = self._tokenizer(prompt, return_offsets_mapping=True, return_special_tokens_mask=True, verbose=False)
        found, most = len(read["input_ids"]), self._tokenizer.model_max_length
        if found > most:
            raise InvalidItemError(f"the prompt has {found} tokens and the model takes {most}; shorten it")
        names = tuple(self._tokenizer.convert_ids_to_tokens(read["input_ids"]))
        special = tuple(map(bool, read["special_tokens_mask"]))
        return _Tokens(tuple(read["input_ids"]), names, special, tuple(map(tuple, read["offset_mapping"])))


def require_fast(tokenizer: Any, whose: str) -> None:
    """Raise ModelError unless a tokenizer of transformers is a fast one, which knows where its tokens lie in a text.

    `whose` names it: "tokenizer of facebook/musicgen-small".
    """
    if not getattr(tokenizer, "is_fast", False):
        raise ModelError(f"the {whose} cannot say which characters a token covers; save a fast tokenizer")


def _count_until(ends: list[int], start: int, end: int) -> int:
    # The last character of a token decides, since sentence pieces carry the space before their word.
    last = max(start, end - 1)
    return sum(word_end <= last for word_end in ends)
