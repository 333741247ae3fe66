"""Gradient times input on the text's states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from earwitness.explaining.state_gradients import state_attributions
from earwitness.explaining.token_maps import Average, averaged, positive_map, scores_in_batches
from earwitness.tracks.prompt import PromptExplainer, PromptItem, PromptModel, TokenMap

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass
class GradientInput(PromptExplainer):
    """The inner product of each token's state with the gradient of a window's teacher-forced log-likelihood."""

    window: int = 10
    """Frames whose log-likelihood is summed before the gradient is taken, one backward pass a window; 0 for all."""
    absolute: bool = True
    """Whether a token that lowers the likelihood counts as much as one that raises it."""
    average: Average = "asked"
    """Frames that rows are averaged over, for a map [N]: `asked`, `all`, or `none` for a map with all rows."""
    batch: int = 16
    """Prompts a pass."""

    def explain(self, model: PromptModel, item: PromptItem) -> TokenMap:
        """The map [F, N] of one item."""
        return self.explain_batch(model, [item])[0]

    def explain_batch(self, model: PromptModel, items: Sequence[PromptItem]) -> list[TokenMap]:
        """The maps [F, N] of several items, in their order."""
        batches = scores_in_batches(items, self.batch, lambda batch: self.attributions(model, batch))
        sized = [np.abs(scores) if self.absolute else scores for scores in batches]
        return [positive_map(averaged(scores, item, self.average)) for scores, item in zip(sized, items, strict=True)]

    def attributions(self, model: PromptModel, items: Sequence[PromptItem]) -> np.ndarray:
        """Gradient times input [B, F, N] (nats) of each frame's window, at the states themselves."""
        return state_attributions(model, items, torch.ones(1), self.window)
