"""The name by which decoders of transformers take a cache: `cache`, and `past_key_values` until 5.40."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from earwitness.errors import ModelError

if TYPE_CHECKING:
    from torch import nn
    from transformers.cache_utils import Cache

NAMES = ("cache", "past_key_values")
"""Today's, and that of before."""


def cached(decoder: Any, cache: Cache | None) -> dict[str, Cache | None]:
    """A cache object as the argument of a decoder's pass, by the name that the decoder has for it.

    Raises ModelError where it has none: passed on under another name, the cache would be lost without a word.
    """
    return {_name(decoder): cache}


def take_either_name(decoder: nn.Module) -> None:
    """Let a decoder's passes be called with `past_key_values`, as libraries of before do, whatever its name is today.

    Raises ModelError where the decoder has no name for a cache.
    """
    name, before = _name(decoder), NAMES[1]

    def rename(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return args, {name if key == before else key: value for key, value in kwargs.items()}

    if name != before:
        decoder.register_forward_pre_hook(rename, with_kwargs=True)


def _name(decoder: Any) -> str:
    taken = inspect.signature(decoder.forward).parameters
    for name in NAMES:
        if name in taken:
            return name
    raise ModelError(
        f"{type(decoder).__name__} takes no cache by the name {' or '.join(NAMES)}; install a transformers that "
        "earwitness names, or an earwitness that knows this one"
    )
