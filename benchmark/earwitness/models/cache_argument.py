"""The name by which decoders of transformers take a cache, which has changed."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers.cache_utils import Cache


def cached(decoder: Any, cache: Cache | None) -> dict[str, Cache | None]:
    """A cache as the argument of a decoder's pass: `cache`, or `past_key_values` before transformers renamed it."""
    return {"cache" if "cache" in inspect.signature(decoder.forward).parameters else "past_key_values": cache}
