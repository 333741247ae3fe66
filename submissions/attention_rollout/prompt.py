"""Attention rollout (arXiv 2005.00928) from the decoder's steps to the text's tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
import torch
from pydantic import Field

from earwitness.explaining.attention_rollout import read_self_attention, rollout
from earwitness.explaining.token_maps import Average, averaged, relevance_map, scores_in_batches
from earwitness.tracks.prompt import PromptExplainer, PromptItem, PromptModel, TokenMap

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass
class AttentionRollout(PromptExplainer):
    """Share of each token in each decoding step's final state, if every layer passed on attention and residual alike.

    White box: it needs a decoder with layers called `self_attn`, of transformers' layout or of audiocraft's.
    """

    average: Average = "asked"
    """Frames that rows are averaged over, for a map [N]: `asked`, `all`, or `none` for a map with all rows."""
    batch: Annotated[int, Field(ge=1)] = 16
    """Prompts a pass."""

    def explain(self, model: PromptModel, item: PromptItem) -> TokenMap:
        """The map of one item."""
        return self.explain_batch(model, [item])[0]

    def explain_batch(self, model: PromptModel, items: Sequence[PromptItem]) -> list[TokenMap]:
        """The maps of several items, in their order."""
        batches = scores_in_batches(items, self.batch, lambda batch: _shares(model, batch))
        return [
            relevance_map(averaged(scores, item, self.average)) for scores, item in zip(batches, items, strict=True)
        ]


@torch.no_grad()
def _shares(model: PromptModel, items: Sequence[PromptItem]) -> np.ndarray:
    """Shares [B, F, N] of tokens in the frames' decoding steps."""
    codes = torch.as_tensor(np.stack([item.codes for item in items]), device=model.device)
    with read_self_attention(model.module) as own:
        forced = model.teacher_forced(codes, model.encode([item.prompt for item in items]), attentions=True)
    cross = [attention.float().mean(1) for attention in forced.attentions]
    sources = rollout([attention.float() for attention in own], cross).sources
    return sources[:, : codes.shape[-1]].double().cpu().numpy()
