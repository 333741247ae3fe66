"""Gradient times input on the text's states."""

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
class GradientInput(PromptExplainer):
    """The inner product of each token's state with the gradient of a window's teacher-forced log-likelihood."""

    window: int = 10
    """Frames whose log-likelihood is summed before the gradient is taken, one backward pass a window; 0 for all."""
    absolute: bool = True
    """Whether a token that lowers the likelihood counts as much as one that raises it."""
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
            maps += [
                self._to_map(scores[:, : len(item.tokens)], item)
                for scores, item in zip(self._scores(model, chunk), chunk, strict=True)
            ]
        return maps

    def _scores(self, model: PromptModel, items: Sequence[PromptItem]) -> np.ndarray:
        """Gradient times input [B, F, N], constant within a window."""
        text = model.encode([item.prompt for item in items])
        states = text.states.detach().clone().requires_grad_()
        codes = torch.as_tensor(np.stack([item.codes for item in items]), device=model.device)
        logits = model.logits(codes, Encoded(states, text.mask), without_special(items, states))
        windows = torch.split(log_likelihood(logits, codes).sum(0), self.window or codes.shape[-1])
        rows = []
        for window in windows:
            (gradient,) = torch.autograd.grad(window.sum(), states, retain_graph=True)
            score = (gradient * states.detach()).sum(-1)
            rows.append(score[:, None].expand(-1, len(window), -1))
        return torch.cat(rows, dim=1).double().cpu().numpy()

    def _to_map(self, scores: np.ndarray, item: PromptItem) -> TokenMap:
        """Scores [F, N] of the text's tokens: positive part (or size) over its largest; the scores break ties."""
        scores = np.where(item.special, 0.0, np.abs(scores) if self.absolute else scores)
        scores = scores if self.framewise else scores.mean(axis=0)
        positive = scores.clip(min=0)
        return TokenMap(weights=positive / max(float(positive.max()), np.finfo(np.float64).tiny), order=scores)
