"""Attention rollout (Abnar and Zuidema 2020, arXiv 2005.00928), carried over to decoders with cross-attention.

Where a layer's output is its attention's and its own input in equal parts (the residual connection), attention read
through all layers is the product of (A + I) / 2.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from earwitness.explaining.attention_layout import is_attention, projected

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor, nn


class RolledOut(NamedTuple):
    """What each of a decoder's positions is made of; its shares of both add up to 1 where its attention does."""

    sources: Tensor
    """[..., T, N] of what cross-attention reads."""
    positions: Tensor
    """[..., T, T] of what the decoder itself was given."""


def rollout(own: Sequence[Tensor], cross: Sequence[Tensor]) -> RolledOut:
    """Shares after all layers, from each layer's self- [..., T, T] and cross-attention [..., T, N], means over heads.

    In each layer self-attention comes first; both have their residual connection.

    >>> found = rollout([torch.tensor([[1.0, 0.0], [0.5, 0.5]])], [torch.tensor([[1.0], [1.0]])])
    >>> found.sources.tolist(), found.positions.tolist()
    ([[0.5], [0.5]], [[0.5, 0.0], [0.125, 0.375]])
    """
    positions = torch.eye(own[0].shape[-1], dtype=own[0].dtype, device=own[0].device).expand_as(own[0])
    sources = torch.zeros_like(cross[0])
    for among, read in zip(own, cross, strict=True):
        positions, sources = (positions + among @ positions) / 2, (sources + among @ sources) / 2
        positions, sources = positions / 2, (sources + read) / 2
    return RolledOut(sources, positions)


def encoder_rollout(layers: Sequence[Tensor]) -> Tensor:
    """Shares [..., E, E] of an encoder's inputs in its states: the product of (A + I) / 2 of its layers [..., E, E]."""
    found = torch.eye(layers[0].shape[-1], dtype=layers[0].dtype, device=layers[0].device).expand_as(layers[0])
    for attention in layers:
        found = (found + attention @ found) / 2
    return found


@contextmanager
def read_self_attention(module: nn.Module, within: str = "", causal: bool = True) -> Iterator[list[Tensor]]:
    """Within it, every pass appends each layer's self-attention [R, T, T], mean over heads; the pass is untouched.

    Read are layers called `self_attn`, of transformers' layout or audiocraft's, under modules whose name has `within`.
    """
    record: list[Tensor] = []

    def read(attention: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        states: Tensor = kwargs["hidden_states"] if "hidden_states" in kwargs else args[0]
        query, key, _ = projected(attention, states, states)
        scores = query @ key.transpose(2, 3) * query.shape[-1] ** -0.5
        if causal:
            future = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).triu(1)
            scores = scores.masked_fill(future, float("-inf"))
        record.append(scores.softmax(-1).mean(1))

    names = [
        (name, part) for name, part in module.named_modules() if name.endswith(".self_attn") and is_attention(part)
    ]
    hooks = [part.register_forward_hook(read, with_kwargs=True) for name, part in names if within in f".{name}"]
    try:
        yield record
    finally:
        for hook in hooks:
            hook.remove()
