"""Cross-attention of diffusers' denoisers: watched without being touched, or given to some tokens only in part."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

See = Callable[[int, Tensor], None]
"""Takes a layer's number and its attention [B, H, Q, N] after softmax, rows of the conditional branch."""


@contextmanager
def watched(layers: Sequence[nn.Module], see: See, null_rows: int) -> Iterator[None]:
    """Show `see` the attention of each layer after each of its passes.

    Queries and keys are read where the layer projects them, and its own processor makes its output: what the layer
    computes stays the same to the last bit. The first `null_rows` rows of a pass, the unconditional branch, are left
    out.
    """
    with ExitStack() as hooks:
        for number, layer in enumerate(layers):
            _watch(hooks, layer, number, see, null_rows)
        yield


def _watch(hooks: ExitStack, layer: Any, number: int, see: See, null_rows: int) -> None:
    caught: dict[str, Any] = {}

    def before(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        caught["mask"] = kwargs.get("attention_mask")

    def catch(name: str) -> Callable[[nn.Module, Any, Tensor], None]:
        def hook(module: nn.Module, args: Any, output: Tensor) -> None:
            caught[name] = output.detach()

        return hook

    def after(module: nn.Module, args: Any, output: Any) -> None:
        rows = slice(null_rows, None)
        query, key = _heads(layer, caught["query"][rows], caught["key"][rows])
        mask = caught["mask"]
        see(number, attention_weights(layer, query, key, None if mask is None else mask[rows].detach()))
        caught.clear()

    for handle in (
        layer.register_forward_pre_hook(before, with_kwargs=True),
        layer.to_q.register_forward_hook(catch("query")),
        layer.to_k.register_forward_hook(catch("key")),
        layer.register_forward_hook(after),
    ):
        hooks.callback(handle.remove)


def _heads(layer: Any, query: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
    """Queries [B, H, Q, d] and keys [B, H, N, d] of projections [B, Q, H d] and [B, N, h d], h a divisor of H."""
    width = query.shape[-1] // layer.heads
    query, key = (each.reshape(*each.shape[:2], -1, width).transpose(1, 2) for each in (query, key))
    key = key.repeat_interleave(layer.heads // key.shape[1], 1)
    if layer.norm_q is not None:
        query = layer.norm_q(query)
    if layer.norm_k is not None:
        key = layer.norm_k(key)
    return query, key


def attention_weights(layer: Any, query: Tensor, key: Tensor, mask: Tensor | None) -> Tensor:
    """Attention [B, H, Q, N] after softmax, of queries [B, H, Q, d] and keys [B, H, N, d] under an additive mask.

    The mask is [B, 1, N], as diffusers hands it to a layer, or boolean, True where a key is seen.
    """
    scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
    if mask is not None:
        wide = mask.reshape(len(mask), 1, -1, mask.shape[-1])
        scores = scores.masked_fill(~wide, -torch.inf) if wide.dtype == torch.bool else scores + wide
    weights: Tensor = scores.softmax(-1)
    return weights


@contextmanager
def kept(layers: Sequence[nn.Module], share: Callable[[int, int], Tensor], null_rows: int) -> Iterator[None]:
    """Multiply each layer's attention by `share(layer, Q)` [B, Q, N] in [0, 1], after softmax, while this lasts.

    The first `null_rows` rows of a pass, the unconditional branch, keep all of it.
    """
    modules: list[Any] = list(layers)
    before = [layer.processor for layer in modules]
    try:
        for number, layer in enumerate(modules):
            layer.processor = _Keeping(number, share, null_rows)
        yield
    finally:
        for layer, processor in zip(modules, before, strict=True):
            layer.processor = processor


class _Keeping:
    """An attention processor that says its weights out loud and scales them."""

    def __init__(self, number: int, share: Callable[[int, int], Tensor], null_rows: int) -> None:
        self._number = number
        self._share = share
        self._null_rows = null_rows

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        **_: Any,
    ) -> Tensor:
        """The layer's output [B, Q, D]; its queries are a sequence already, as transformer blocks hand them."""
        states = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        query, key = _heads(attn, attn.to_q(hidden_states), attn.to_k(states))
        weights = attention_weights(attn, query, key, attention_mask)
        share = self._share(self._number, query.shape[2]).to(weights)
        scale = torch.cat([torch.ones_like(weights[: self._null_rows, 0]), share])
        value = attn.to_v(states).reshape(*states.shape[:2], -1, query.shape[-1]).transpose(1, 2)
        value = value.repeat_interleave(attn.heads // value.shape[1], 1)
        mixed = (weights * scale[:, None] @ value).transpose(1, 2).flatten(2)
        output: Tensor = attn.to_out[1](attn.to_out[0](mixed)) / attn.rescale_output_factor
        return output
