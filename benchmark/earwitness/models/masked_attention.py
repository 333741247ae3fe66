"""Attention in which prompt tokens are removed: one function, registered with transformers under `NAME`.

A pass of the decoder hands its `Masking` down as the keyword argument `masking`; without it the function is
transformers' own scaled dot product attention, so a white-box call of the module is what it always was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from earwitness.tracks.prompt import Removal

if TYPE_CHECKING:
    from torch import Tensor, nn

NAME = "earwitness_masked"


@dataclass
class Masking:
    """What one pass does to cross-attention, in every layer and head."""

    removal: Removal = Removal.SCALE
    weights: Tensor | None = None
    """[R, 1, T or 1, N] in [0, 1], the token mask; None removes nothing."""
    record: list[Tensor] | None = None
    """Where each layer appends its attention [R, H, T, N], after softmax and before the removal operator."""

    @property
    def reference(self) -> bool:
        """Whether the last encoder position is the reference state, which softmax must not see."""
        return self.weights is not None and self.removal in (Removal.NULL, Removal.MEAN)


def reference_state(states: Tensor, mask: Tensor, removal: Removal) -> Tensor:
    """The state [B, 1, D] whose values stand in for removed ones: zeros, or the mean of the prompt's own states.

    `states` is [B, N, D], `mask` [B, N] True on the prompt's own tokens.
    """
    if removal is Removal.MEAN:
        own = mask[..., None].to(states.dtype)
        return (states * own).sum(dim=1, keepdim=True) / own.sum(dim=1, keepdim=True).clamp_min(1)
    return torch.zeros_like(states[:, :1])


def padding_bias(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """Additive attention bias [B, 1, 1, N] that hides the positions where `mask` [B, N] is False.

    The bias is finite so that a row without any token attends to something, namely to states of zero, and not to NaN.
    """
    hidden = ~mask[:, None, None, :]
    return torch.zeros(hidden.shape, dtype=dtype, device=mask.device).masked_fill_(hidden, torch.finfo(dtype).min)


def remove(attention: Tensor, value: Tensor, masking: Masking, reference: Tensor | None = None) -> Tensor:
    """Attended values [R, H, T, d] under the removal operator of `masking`.

    `attention` is [R, H, T, N] after softmax, `value` [R, H, N, d], `reference` [R, H, 1, d] the value of the
    reference state. Where nothing is left to renormalise the result is zero. AudioGenX (arXiv 2502.00459) is `scale`.
    """
    if masking.weights is None:
        return _mean(attention, value)
    kept = attention * masking.weights
    attended = _mean(kept, value)
    if masking.removal is Removal.RENORMALISE:
        left = kept.sum(dim=-1, keepdim=True)
        return attended / torch.where(left > 0, left, torch.ones_like(left))
    if reference is not None:
        return attended + (attention - kept).sum(dim=-1, keepdim=True) * reference
    return attended


def masked_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    masking: Masking | None = None,
    **kwargs: Any,
) -> tuple[Tensor, Tensor | None]:
    """Attention output [R, T, H, d] of transformers' attention interface, and the weights where they were computed.

    `query` is [R, H, T, d], `key` and `value` [R, H, N, d] (N + 1 with a reference state), `attention_mask` in
    cross-attention the additive bias [C, 1, 1, N] of the C conditional rows, which come first. The rows behind them
    are unconditional: their states are zero and MusicGen projects values without bias, so they attend to zero.
    """
    if masking is None or module.is_causal:
        output, weights = sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)
        return output, weights
    assert attention_mask is not None
    rows = attention_mask.shape[0]
    output, attention = attended(query[:rows] * kwargs["scaling"], key[:rows], value[:rows], attention_mask, masking)
    output = output.transpose(1, 2)
    if rows < query.shape[0]:
        output = torch.cat([output, output.new_zeros(query.shape[0] - rows, *output.shape[1:])])
    return output, attention


def attended(query: Tensor, key: Tensor, value: Tensor, bias: Tensor, masking: Masking) -> tuple[Tensor, Tensor]:
    """What the conditional rows take from a prompt, [C, H, T, d], and their attention [C, H, T, N] before removal.

    `query` is [C, H, T, d], scaled, `key` and `value` [C, H, N, d] (N + 1 with a reference state), `bias` the additive
    bias [C, 1, 1, N].
    """
    reference = value[:, :, -1:] if masking.reference else None
    tokens = bias.shape[-1]
    attention = (_scores(query, key[:, :, :tokens]) + bias).softmax(dim=-1).float()
    if masking.record is not None:
        masking.record.append(attention)
    return remove(attention.to(value.dtype), value[:, :, :tokens], masking, reference), attention


def _scores(query: Tensor, key: Tensor) -> Tensor:
    # A batched product of one row with a handful of keys costs three times the sum of products.
    if query.shape[2] == 1:
        return (query * key).sum(dim=-1).unsqueeze(2)
    return query @ key.transpose(2, 3)


def _mean(attention: Tensor, value: Tensor) -> Tensor:
    if attention.shape[2] == 1:
        return (attention.transpose(2, 3) * value).sum(dim=2, keepdim=True)
    return attention @ value


ALL_ATTENTION_FUNCTIONS.register(NAME, masked_attention)
ALL_MASK_ATTENTION_FUNCTIONS.register(NAME, ALL_MASK_ATTENTION_FUNCTIONS["sdpa"])
