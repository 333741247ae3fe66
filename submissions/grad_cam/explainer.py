"""Cross-attention weighted by its gradient (after Grad-CAM, arXiv 1610.02391)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from earwitness.tracks.prompt import (
    Encoded,
    PromptExplainer,
    PromptItem,
    PromptModel,
    TokenMap,
    log_likelihood,
    without_special,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass
class GradCam(PromptExplainer):
    """Positive part of attention times its gradient in every layer and head, averaged over them, step by step.

    The gradient is that of the whole sound's teacher-forced log-likelihood, so a frame's row says what attention at
    that frame's decoding step did for the frame and for what follows.
    """

    framewise: bool = False
    """Whether every frame keeps a row of its own; else the rows are averaged, and the map is [N]."""
    batch: int = 16
    """Prompts a pass."""

    def explain(self, model: PromptModel, item: PromptItem) -> TokenMap:
        """The map [F, N] of one item."""
        return self.explain_batch(model, [item])[0]

    def explain_batch(self, model: PromptModel, items: Sequence[PromptItem]) -> list[TokenMap]:
        """The maps [F, N] of several items, in their order."""
        maps: list[TokenMap] = []
        for start in range(0, len(items), self.batch):
            chunk = items[start : start + self.batch]
            maps += [self._to_map(cam, item) for cam, item in zip(_cams(model, chunk), chunk, strict=True)]
        return maps

    def _to_map(self, rows: np.ndarray, item: PromptItem) -> TokenMap:
        """Rows [F, N or more] of the text's tokens, over the largest weight."""
        scores = np.where(item.special, 0.0, rows[:, : len(item.tokens)])
        scores = scores if self.framewise else scores.mean(axis=0)
        return TokenMap(weights=scores / max(float(scores.max()), np.finfo(np.float64).tiny))


def _cams(model: PromptModel, items: Sequence[PromptItem]) -> np.ndarray:
    """Positive part of attention times gradient, averaged over layers and heads, [B, F, N]."""
    text = model.encode([item.prompt for item in items])
    codes = torch.as_tensor(np.stack([item.codes for item in items]), device=model.device)
    states = text.states.detach().clone().requires_grad_()
    mask = without_special(items, states)
    forced = model.teacher_forced(codes, Encoded(states, text.mask), mask, attentions=True)
    total = log_likelihood(forced.logits, codes).sum()
    gradients = torch.autograd.grad(total, forced.attentions)
    layers = [(a.detach() * g).relu().mean(1) for a, g in zip(forced.attentions, gradients, strict=True)]
    return torch.stack(layers).mean(0)[:, : codes.shape[-1]].double().cpu().numpy()
