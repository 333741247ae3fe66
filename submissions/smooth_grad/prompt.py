"""SmoothGrad on the text's states (arXiv 1706.03825)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from pydantic import Field

from earwitness.explaining.likelihood_gradients import likelihood_gradients
from earwitness.explaining.token_maps import Average, averaged, relevance_map
from earwitness.tracks.prompt import PromptExplainer, PromptItem, PromptModel, TokenMap


@dataclass
class SmoothGrad(PromptExplainer):
    """Size of the gradient of the sound's log-likelihood, averaged over states that noise was added to."""

    samples: Annotated[int, Field(ge=1)] = 50
    """Noisy states."""
    noise: Annotated[float, Field(ge=0)] = 0.15
    """Deviation of the noise, as a share of what lies between the least and the largest entry of the words' states."""
    average: Average = "asked"
    """Frames that rows are averaged over, for a map [N]: `asked`, `all`, or `none` for a map with all rows."""
    batch: Annotated[int, Field(ge=1)] = 25
    """Noisy states a pass."""

    def explain(self, model: PromptModel, item: PromptItem) -> TokenMap:
        """The map of one item."""
        states = model.encode([item.prompt]).states[0].detach()
        words = states[: len(item.special)][torch.as_tensor(~item.special, device=states.device)]
        spread = float(words.max() - words.min()) if len(words) else 0.0
        drawn = torch.Generator().manual_seed(item.explainer_seed)
        noise = torch.randn(self.samples, *states.shape, generator=drawn).to(states)
        found = likelihood_gradients(model, item, states + self.noise * spread * noise, self.batch)
        sizes = found.gradients.mean(1).abs().sum(-1).double().cpu().numpy()
        scores = np.where(item.special, 0.0, found.rows(sizes)[:, : len(item.tokens)])
        return relevance_map(averaged(scores, item, self.average))
