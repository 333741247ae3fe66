"""Integrated gradients on the text's states (arXiv 1703.01365)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
import torch
from pydantic import Field

from earwitness.explaining.state_gradients import state_attributions
from earwitness.explaining.token_maps import Average, averaged, positive_map, scores_in_batches
from earwitness.tracks.prompt import PromptExplainer, PromptItem, PromptModel, TokenMap

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass
class IntegratedGradients(PromptExplainer):
    """Gradient of a window's teacher-forced log-likelihood, averaged on the way from the null state, times the state.

    Over all tokens a window's attributions add up to its log-likelihood minus that under states of zero.
    """

    steps: Annotated[int, Field(ge=1)] = 50
    """Points on the straight path from zero to the states, at the middles of equal parts."""
    window: int = 0
    """Frames whose log-likelihood is summed before the gradient is taken, one backward pass a window; 0 for all."""
    absolute: bool = False
    """Whether a token that lowers the likelihood counts as much as one that raises it."""
    average: Average = "asked"
    """Frames that rows are averaged over, for a map [N]: `asked`, `all`, or `none` for a map with all rows."""
    batch: int = 4
    """Prompts a pass, each of them `steps` sequences."""

    def explain(self, model: PromptModel, item: PromptItem) -> TokenMap:
        """The map [F, N] of one item."""
        return self.explain_batch(model, [item])[0]

    def explain_batch(self, model: PromptModel, items: Sequence[PromptItem]) -> list[TokenMap]:
        """The maps [F, N] of several items, in their order."""
        batches = scores_in_batches(items, self.batch, lambda batch: self.attributions(model, batch))
        sized = [np.abs(scores) if self.absolute else scores for scores in batches]
        return [positive_map(averaged(scores, item, self.average)) for scores, item in zip(sized, items, strict=True)]

    def attributions(self, model: PromptModel, items: Sequence[PromptItem]) -> np.ndarray:
        """Attributions [B, F, N] (nats) of each frame's window, special tokens included."""
        return state_attributions(model, items, (torch.arange(self.steps) + 0.5) / self.steps, self.window)
