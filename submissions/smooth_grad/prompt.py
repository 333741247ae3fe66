"""SmoothGrad on the text's states (arXiv 1706.03825)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from pydantic import Field

from earwitness.explaining.token_maps import relevance_map
from earwitness.tracks.prompt import (
    Encoded,
    PromptExplainer,
    PromptItem,
    PromptModel,
    TokenMap,
    log_likelihood,
    without_special,
)


@dataclass
class SmoothGrad(PromptExplainer):
    """Size of each state's gradient, averaged over copies of the states with Gaussian noise added.

    The gradient is that of the teacher-forced log-likelihood of the frames that are asked for.
    """

    samples: Annotated[int, Field(ge=1)] = 50
    """Noisy copies."""
    noise: Annotated[float, Field(ge=0)] = 0.15
    """Standard deviation of the noise as a share of the largest state's entry minus the smallest."""
    batch: Annotated[int, Field(ge=1)] = 50
    """Copies a pass."""

    def explain(self, model: PromptModel, item: PromptItem) -> TokenMap:
        """The map [N] of one item."""
        sizes = np.linalg.norm(self.gradients(model, item), axis=1)
        return relevance_map(np.where(item.special, 0.0, sizes))

    def gradients(self, model: PromptModel, item: PromptItem) -> np.ndarray:
        """Mean gradients [N, D] float64 (nats) along the text's states, special tokens being out."""
        text = model.encode([item.prompt])
        states = text.states.detach()
        codes = torch.as_tensor(item.codes, device=model.device)[None]
        keep = without_special([item], states)
        deviation = self.noise * (states.max() - states.min())
        drawn = torch.randn(
            (self.samples, *states.shape[1:]), generator=torch.Generator().manual_seed(item.explainer_seed)
        )
        total = torch.zeros(states.shape[1:], dtype=torch.float64, device=states.device)
        for part in torch.split(drawn.to(states), self.batch):
            rows = (states + deviation * part).requires_grad_()
            copies = codes.expand(len(part), -1, -1)
            noisy = Encoded(rows, text.mask.expand(len(part), -1))
            logits = model.logits(copies, noisy, keep.expand(len(part), -1))
            likelihood = log_likelihood(logits, copies)[:, item.asked].sum()
            (gradient,) = torch.autograd.grad(likelihood, rows)
            total += gradient.double().sum(0)
        found: np.ndarray = (total / self.samples)[: len(item.tokens)].cpu().numpy()
        return found
