"""A key and value cache of known length, which writes each step in place instead of copying all earlier ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transformers.cache_utils import Cache, DynamicCache, DynamicLayer, EncoderDecoderCache

if TYPE_CHECKING:
    from torch import Tensor


class PreallocatedLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """Keys and values [R, H, t, d] of one layer, views into buffers of the full length."""

    def __init__(self, length: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.length = length

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Allocate the buffers for keys and values of the shape [R, H, length, d]."""
        super().lazy_initialization(key_states, value_states)
        rows, heads, _, width = key_states.shape
        self.key_buffer = key_states.new_empty(rows, heads, self.length, width)
        self.value_buffer = value_states.new_empty(rows, heads, self.length, value_states.shape[-1])
        self.keys, self.values = self.key_buffer[:, :, :0], self.value_buffer[:, :, :0]

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Append [R, H, s, d] keys and values; returns all so far, [R, H, t, d]."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start = self.get_seq_length()
        end = start + key_states.shape[-2]
        self.key_buffer[:, :, start:end] = key_states
        self.value_buffer[:, :, start:end] = value_states
        self.keys, self.values = self.key_buffer[:, :, :end], self.value_buffer[:, :, :end]
        return self.keys, self.values


def decoding_cache(layers: int, steps: int) -> EncoderDecoderCache:
    """A cache for `steps` decoding steps of a decoder with cross-attention."""
    own = Cache(layers=[PreallocatedLayer(steps) for _ in range(layers)])
    return EncoderDecoderCache(own, DynamicCache())
