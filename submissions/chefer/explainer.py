"""Attention relevance accumulated through the decoder (Chefer et al. 2021, arXiv 2103.15679)."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from earwitness.explaining.attention_gradients import forced_likelihood, gradient_weighted
from earwitness.explaining.attention_layout import is_attention, projected
from earwitness.explaining.token_maps import Average, averaged, relevance_map, scores_in_batches
from earwitness.tracks.prompt import PromptExplainer, PromptItem, PromptModel, TokenMap

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor, nn


@dataclass
class Chefer(PromptExplainer):
    """Relevance of tokens to decoding steps: gradient-weighted self- and cross-attention, layer after layer.

    White box: it needs a decoder with `layers`, each with a `self_attn`, in the layout of transformers' MusicGen or of
    audiocraft.
    """

    average: Average = "asked"
    """Frames that rows are averaged over, for a map [N]: `asked`, `all`, or `none` for a map with all rows."""
    batch: int = 16
    """Prompts a pass."""

    def explain(self, model: PromptModel, item: PromptItem) -> TokenMap:
        """The map [F, N] of one item."""
        return self.explain_batch(model, [item])[0]

    def explain_batch(self, model: PromptModel, items: Sequence[PromptItem]) -> list[TokenMap]:
        """The maps [F, N] of several items, in their order."""
        batches = scores_in_batches(items, self.batch, lambda batch: _relevances(model, batch))
        return [
            relevance_map(averaged(scores, item, self.average)) for scores, item in zip(batches, items, strict=True)
        ]


def _relevances(model: PromptModel, items: Sequence[PromptItem]) -> np.ndarray:
    """Relevance [B, F, N] of tokens to the frames' decoding steps."""
    with recorded_self_attention(model.module) as own:
        likelihood, cross = forced_likelihood(model, items)
    weighted = gradient_weighted(likelihood, [*own, *cross])
    relevance = accumulate(weighted[: len(own)], weighted[len(own) :])
    return relevance[:, : items[0].codes.shape[-1]].double().cpu().numpy()


def accumulate(own: Sequence[Tensor], cross: Sequence[Tensor]) -> Tensor:
    """Relevance [B, T, N] of tokens to steps, from each layer's weighted self- [B, T, T] and cross-attention [B, T, N].

    Equations 6 to 10 of the paper with the identity for the tokens among themselves: R_ss += A R_ss, R_st += A R_st,
    then R_st += norm(R_ss) C. Equation 10 transposes norm(R_ss); here row t is read as output step t, so it does not.
    """
    identity = torch.eye(own[0].shape[-1], dtype=own[0].dtype, device=own[0].device)
    among, tokens = identity.expand_as(own[0]), torch.zeros_like(cross[0])
    for attention, crossed in zip(own, cross, strict=True):
        tokens = tokens + attention @ tokens
        among = among + attention @ among
        off = among - identity
        tiny = torch.finfo(off.dtype).tiny
        tokens = tokens + (off / off.sum(-1, keepdim=True).clamp_min(tiny) + identity) @ crossed
    return tokens


@contextmanager
def recorded_self_attention(module: nn.Module) -> Iterator[list[Tensor]]:
    """Within it, every pass appends each layer's causal self-attention [R, H, T, T], in the graph of the output.

    The pass itself is unchanged but for rounding: the module's output is replaced by the same attention, computed
    step by step.
    """
    record: list[Tensor] = []

    def attend(attention: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
        states: Tensor = kwargs["hidden_states"] if "hidden_states" in kwargs else args[0]
        query, key, value = projected(attention, states, states)
        length = states.shape[1]
        future = torch.ones(length, length, dtype=torch.bool, device=states.device).triu(1)
        scores = (query @ key.transpose(2, 3) * query.shape[-1] ** -0.5).masked_fill(future, float("-inf"))
        weights = scores.softmax(-1)
        # The first layer's self-attention comes before any text, so nothing has asked for its gradient.
        record.append(weights if weights.requires_grad else weights.requires_grad_())
        attended = (weights @ value).transpose(1, 2).flatten(2)
        return attention.out_proj(attended), *output[1:]

    layers = [part for name, part in module.named_modules() if name.endswith(".self_attn") and is_attention(part)]
    hooks = [layer.register_forward_hook(attend, with_kwargs=True) for layer in layers]
    try:
        yield record
    finally:
        for hook in hooks:
            hook.remove()
