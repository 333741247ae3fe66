"""Cross-attention times its gradient, element by element, in all layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from earwitness.explaining.attention_gradients import forced_likelihood, gradient_weighted
from earwitness.explaining.token_maps import Average, averaged, relevance_map, scores_in_batches
from earwitness.tracks.prompt import PromptExplainer, PromptItem, PromptModel, TokenMap

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass
class GradientAttention(PromptExplainer):
    """Positive part of attention times its gradient in every layer and head, averaged over them, step by step.

    The gradient is that of the whole sound's teacher-forced log-likelihood, so a frame's row says what attention at
    that frame's decoding step did for the frame and for what follows.
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
        batches = scores_in_batches(items, self.batch, lambda batch: _products(model, batch))
        return [
            relevance_map(averaged(scores, item, self.average)) for scores, item in zip(batches, items, strict=True)
        ]


def _products(model: PromptModel, items: Sequence[PromptItem]) -> np.ndarray:
    """Positive part of attention times gradient, averaged over layers and heads, [B, F, N]."""
    layers = gradient_weighted(*forced_likelihood(model, items))
    return torch.stack(layers).mean(0)[:, : items[0].codes.shape[-1]].double().cpu().numpy()
