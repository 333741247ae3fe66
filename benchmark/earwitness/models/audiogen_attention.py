"""Cross-attention of audiocraft's language models from which prompt tokens are removed."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional as F

from earwitness.models.masked_attention import Masking, attended

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor


@dataclass
class CrossPass:
    """What cross-attention does in one pass; the rows of the null branch come behind the conditional ones."""

    bias: Tensor | None
    """[C, 1, 1, N] additive attention bias of the conditional rows; None where there are none."""
    masking: Masking
    projected: dict[nn.Module, tuple[Tensor, Tensor]] = field(default_factory=dict)
    """Keys and values of each layer, which are the same at every step of a decoding."""


class CrossPasses:
    """The pass that runs, which all layers of a model look at; None while somebody else calls the module."""

    def __init__(self) -> None:
        self.now: CrossPass | None = None

    @contextmanager
    def during(self, one: CrossPass) -> Iterator[CrossPass]:
        """Have layers do as a pass says while it lasts."""
        self.now = one
        try:
            yield one
        finally:
            self.now = None


class CrossAttention(nn.Module):
    """Takes the place of audiocraft's StreamingMultiheadAttention, with its parameters under their names.

    A call outside a pass computes what audiocraft's own does: plain attention to all states, those of padding included.
    """

    in_proj_bias: Tensor | None

    def __init__(self, plain: Any, passes: CrossPasses) -> None:
        """`plain` is audiocraft's module, with one matrix for queries, keys and values."""
        super().__init__()
        self.in_proj_weight: Tensor = plain.in_proj_weight
        self.register_parameter("in_proj_bias", plain.in_proj_bias)
        self.out_proj: nn.Module = plain.out_proj
        self.heads = int(plain.num_heads)
        self.passes = passes

    def forward(self, query: Tensor, key: Tensor, value: Tensor, need_weights: bool = False) -> tuple[Tensor, None]:
        """Output [R, T, D] of queries [R, T, D] to states [C, N, D], N + 1 of them with a reference state."""
        queries = self._projected(query, 0)
        now = self.passes.now
        if now is None:
            output = F.scaled_dot_product_attention(queries, self._projected(key, 1), self._projected(value, 2))
        else:
            output = self._passed(now, queries, key, value)
        return self.out_proj(output.transpose(1, 2).flatten(2)), None

    def _passed(self, now: CrossPass, queries: Tensor, key: Tensor, value: Tensor) -> Tensor:
        rows = 0 if now.bias is None else now.bias.shape[0]
        outputs = []
        if now.bias is not None:
            if self not in now.projected:
                now.projected[self] = self._projected(key, 1), self._projected(value, 2)
            scaled = queries[:rows] * queries.shape[-1] ** -0.5
            outputs.append(attended(scaled, *now.projected[self], now.bias, now.masking)[0])
        if rows < len(queries):
            outputs.append(self._null(queries[rows:]))
        return torch.cat(outputs) if len(outputs) > 1 else outputs[0]

    def _null(self, queries: Tensor) -> Tensor:
        """What states of zero give to queries [R, H, T, d]: the bias of the values, nothing where there is none."""
        if self.in_proj_bias is None:
            return torch.zeros_like(queries)
        return self.in_proj_bias.chunk(3)[2].view(1, self.heads, 1, -1).expand_as(queries)

    def _projected(self, states: Tensor, part: int) -> Tensor:
        """Queries (part 0), keys (1) or values (2) [R, H, N, d] of states [R, N, D]."""
        width = states.shape[-1]
        own = slice(part * width, (part + 1) * width)
        bias = None if self.in_proj_bias is None else self.in_proj_bias[own]
        projected = F.linear(states, self.in_proj_weight[own], bias)
        return projected.reshape(*states.shape[:2], self.heads, -1).transpose(1, 2)
