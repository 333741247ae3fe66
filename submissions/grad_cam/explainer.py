"""Grad-CAM (arXiv 1610.02391) on attention: the last layer's heads weighted by their pooled gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from earwitness.explaining.attention_gradients import forced_likelihood
from earwitness.explaining.token_maps import Average, averaged, relevance_map, scores_in_batches
from earwitness.tracks.prompt import PromptExplainer, PromptItem, PromptModel, TokenMap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


@dataclass
class GradCam(PromptExplainer):
    """The last layer's cross-attention, its heads weighted by the mean of their gradients: heads are the channels.

    The gradient is that of the teacher-forced log-likelihood of the frames that are asked for, so that a head has one
    weight for all frames and tokens.
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
        batches = scores_in_batches(items, self.batch, lambda batch: _cams(model, batch))
        return [
            relevance_map(averaged(scores, item, self.average)) for scores, item in zip(batches, items, strict=True)
        ]


def weighted_heads(attention: Tensor, gradient: Tensor) -> Tensor:
    """Map [B, T, N] of attention [B, H, T, N]: heads times the means of their gradients, averaged, the positive part.

    >>> attention = torch.tensor([[0.25, 0.75]]).expand(1, 2, 1, 2)  # two heads alike
    >>> weighted_heads(attention, torch.tensor([[[[3.0, 1.0]], [[-1.0, 1.0]]]])).tolist()  # weights 2 and 0
    [[[0.25, 0.75]]]
    """
    return (attention * gradient.mean((2, 3), keepdim=True)).mean(1).relu()


def _cams(model: PromptModel, items: Sequence[PromptItem]) -> np.ndarray:
    """Maps [B, F, N] of the frames' decoding steps."""
    likelihood, attentions = forced_likelihood(model, items)
    (gradient,) = torch.autograd.grad(likelihood, attentions[-1:])
    maps = weighted_heads(attentions[-1].detach(), gradient)
    return maps[:, : items[0].codes.shape[-1]].double().cpu().numpy()
