"""Cross-attention of few tokens over many encoder states: what a pass need not make for each row, it does not make.

Where rows share states, keys and values are made once for all of them. Where each row has its own and a transcript is
short, none are made: the queries are brought to the states, q (W s) = (W' q) s, and not every state to the queries.

The attention is registered with transformers under `NAME`; where every row has states of its own it is transformers'
scaled dot product attention, so a white-box call of the module is what it always was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from transformers.cache_utils import Cache, DynamicLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

if TYPE_CHECKING:
    from torch import Tensor, nn

NAME = "earwitness_shared"
STATES = 3
"""Axes of states, where keys have four."""
WORTHWHILE = 1 << 24
"""Multiply-adds of a row's keys from which on they are avoided: below it, calls cost more than what they do."""


def shared_attention(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **kwargs: Any
) -> tuple[Tensor, Tensor | None]:
    """Attention output [R, T, H, d] of transformers' attention interface.

    `query` is [R, H, T, d], `key` and `value` [r, H, N, d], where r divides R: states i serve rows i R / r to
    (i + 1) R / r, whose queries stand side by side as those of one row. Nothing is copied for a row. Or both are the
    states themselves, [R, N, D], of which the layer's own projections have made nothing yet.
    """
    if key.ndim == STATES:
        return _over_states(module, query, key, kwargs["scaling"]), None
    states, (rows, _, length, _) = len(key), query.shape
    if states == rows:
        output, weights = sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)
        return output, weights
    each = rows // states
    side_by_side = torch.unflatten(query, 0, (states, each)).transpose(1, 2).flatten(2, 3)
    kwargs["is_causal"] = False
    output, _ = sdpa_attention_forward(module, side_by_side, key, value, None, **kwargs)
    return torch.unflatten(output, 1, (each, length)).flatten(0, 1), None


def _over_states(module: Any, query: Tensor, states: Tensor, scaling: float) -> Tensor:
    """What queries [R, H, T, d] take from states [R, N, D] by a layer's own projections, [R, T, H, d]."""
    heads = query.shape[1]
    # A key's bias moves all scores of a query alike, and so no weight.
    to_states = module.k_proj.weight.unflatten(0, (heads, -1))
    asked = torch.einsum("rhtd,hdw->rhtw", query * scaling, to_states).flatten(1, 2)
    taken = (asked @ states.transpose(1, 2)).softmax(-1) @ states
    of_values = module.v_proj.weight.unflatten(0, (heads, -1))
    output = torch.einsum("rhtw,hdw->rthd", torch.unflatten(taken, 1, (heads, -1)), of_values)
    return output if module.v_proj.bias is None else output + module.v_proj.bias.view(heads, -1)


def cross_cache(decoder: Any, states: Tensor, rows: int, positions: int) -> Cache | None:
    """What a pass of so many rows and positions over encoder states [r, E, D] reads in place of keys and values.

    Keys and values, where rows share states; the states, where bringing the positions to them is cheaper; else None.
    """
    if len(states) < rows:
        return keys_and_values(decoder, states)
    _, count, width = states.shape
    own = count * width * width
    if own < WORTHWHILE or 2 * positions > decoder.layers[0].encoder_attn.head_dim:
        return None
    return Cache(layers=[_filled(states, states) for _ in decoder.layers])


def keys_and_values(decoder: Any, states: Tensor) -> Cache:
    """A cache of what each layer's cross-attention makes of encoder states [r, E, D]: [r, H, E, d] a layer."""
    layers: list[Any] = []
    for decoding in decoder.layers:
        attention = decoding.encoder_attn
        keys, values = (
            project(states).unflatten(2, (-1, attention.head_dim)).transpose(1, 2)
            for project in (attention.k_proj, attention.v_proj)
        )
        layers.append(_filled(keys, values))
    return Cache(layers=layers)


def _filled(keys: Tensor, values: Tensor) -> DynamicLayer:
    layer = DynamicLayer()  # type: ignore[no-untyped-call]
    layer.lazy_initialization(keys, values)
    # Set and not appended, which would copy them.
    layer.keys, layer.values = keys, values
    return layer


ALL_ATTENTION_FUNCTIONS.register(NAME, shared_attention)
ALL_MASK_ATTENTION_FUNCTIONS.register(NAME, ALL_MASK_ATTENTION_FUNCTIONS["sdpa"])
