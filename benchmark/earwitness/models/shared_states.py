"""Cross-attention over encoder states that several rows share: their keys and values are made once, for all of them.

The attention is registered with transformers under `NAME`; where every row has states of its own it is transformers'
scaled dot product attention, so a white-box call of the module is what it always was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transformers.cache_utils import Cache, DynamicLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

if TYPE_CHECKING:
    from torch import Tensor, nn

NAME = "earwitness_shared"


def shared_attention(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **kwargs: Any
) -> tuple[Tensor, Tensor | None]:
    """Attention output [R, T, H, d] of transformers' attention interface.

    `query` is [R, H, T, d], `key` and `value` [r, H, N, d], where r divides R: states i serve rows i R / r to
    (i + 1) R / r, whose queries stand side by side as those of one row. Nothing is copied for a row.
    """
    states, (rows, _, length, _) = len(key), query.shape
    if states == rows:
        output, weights = sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)
        return output, weights
    each = rows // states
    side_by_side = query.unflatten(0, (states, each)).transpose(1, 2).flatten(2, 3)
    kwargs["is_causal"] = False
    output, _ = sdpa_attention_forward(module, side_by_side, key, value, None, **kwargs)
    return output.unflatten(1, (each, length)).flatten(0, 1), None


def keys_and_values(decoder: Any, states: Tensor) -> Cache:
    """A cache of what each layer's cross-attention makes of encoder states [r, E, D]: [r, H, E, d] a layer."""
    layers: list[Any] = []
    for decoding in decoder.layers:
        attention, layer = decoding.encoder_attn, DynamicLayer()  # type: ignore[no-untyped-call]
        keys, values = (
            project(states).unflatten(2, (-1, attention.head_dim)).transpose(1, 2)
            for project in (attention.k_proj, attention.v_proj)
        )
        layer.lazy_initialization(keys, values)
        # Set and not appended, which would copy them.
        layer.keys, layer.values = keys, values
        layers.append(layer)
    return Cache(layers=layers)


ALL_ATTENTION_FUNCTIONS.register(NAME, shared_attention)
ALL_MASK_ATTENTION_FUNCTIONS.register(NAME, ALL_MASK_ATTENTION_FUNCTIONS["sdpa"])
