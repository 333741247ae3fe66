"""Attention layers as transformers' MusicGen and as audiocraft lay them out, read alike.

Letters of shapes: `R` rows, `H` heads, `d` width of a head, `T` steps, `N` what is attended to, `D` width of the model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch.nn.functional import linear

if TYPE_CHECKING:
    from torch import Tensor, nn


def is_attention(layer: nn.Module) -> bool:
    """Whether a layer has projections that `projected` reads."""
    return hasattr(layer, "q_proj") or hasattr(layer, "in_proj_weight")


def projected(attention: Any, states: Tensor, source: Tensor) -> list[Tensor]:
    """Queries [R, H, T, d] of states [R, T, D], keys and values [R, H, N, d] of source [R, N, D]."""
    given = (states, source, source)
    if hasattr(attention, "q_proj"):
        projections = (attention.q_proj, attention.k_proj, attention.v_proj)
        parts = [project(each) for project, each in zip(projections, given, strict=True)]
    else:
        biases = [None] * 3 if attention.in_proj_bias is None else attention.in_proj_bias.chunk(3)
        matrices = attention.in_proj_weight.chunk(3)
        parts = [linear(*each) for each in zip(given, matrices, biases, strict=True)]
    heads = attention.num_heads if hasattr(attention, "num_heads") else attention.heads
    return [part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in parts]
