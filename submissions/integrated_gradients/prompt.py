"""Integrated gradients on the text's states (arXiv 1703.01365)."""

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
class IntegratedGradients(PromptExplainer):
    """Gradient of a window's teacher-forced log-likelihood, averaged on the way from the null state, times the state.

    Over all tokens a window's attributions add up to its log-likelihood minus that under states of zero.
    """

    steps: int = 16
    """Points on the straight path from zero to the states, at the middles of equal parts."""
    window: int = 0
    """Frames whose log-likelihood is summed before the gradient is taken, one backward pass a window; 0 for all."""
    absolute: bool = False
    """Whether a token that lowers the likelihood counts as much as one that raises it."""
    framewise: bool = False
    """Whether every frame keeps a row of its own; else the rows are averaged, and the map is [N]."""
    batch: int = 4
    """Prompts a pass, each of them `steps` sequences."""

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
                for scores, item in zip(self.attributions(model, chunk), chunk, strict=True)
            ]
        return maps

    def attributions(self, model: PromptModel, items: Sequence[PromptItem]) -> np.ndarray:
        """Attributions [B, F, N] (nats) of each frame's window, special tokens included."""
        text = model.encode([item.prompt for item in items])
        codes = torch.as_tensor(np.stack([item.codes for item in items]), device=model.device)
        states = text.states.detach()
        path = (torch.arange(self.steps, device=states.device, dtype=states.dtype) + 0.5) / self.steps
        scaled = (path[None, :, None, None] * states[:, None]).flatten(0, 1).requires_grad_()
        rows = codes.repeat_interleave(self.steps, dim=0)
        mask = without_special(items, states).repeat_interleave(self.steps, dim=0)
        logits = model.logits(rows, Encoded(scaled, text.mask.repeat_interleave(self.steps, dim=0)), mask)
        parts = []
        for window in torch.split(log_likelihood(logits, rows).sum(0), self.window or codes.shape[-1]):
            (gradient,) = torch.autograd.grad(window.sum(), scaled, retain_graph=True)
            mean = torch.unflatten(gradient, 0, (len(items), self.steps)).mean(1)
            parts.append((mean * states).sum(-1)[:, None].expand(-1, len(window), -1))
        return torch.cat(parts, dim=1).double().cpu().numpy()

    def _to_map(self, scores: np.ndarray, item: PromptItem) -> TokenMap:
        """Scores [F, N] of the text's tokens: positive part (or size) over its largest; the scores break ties."""
        scores = np.where(item.special, 0.0, np.abs(scores) if self.absolute else scores)
        scores = scores if self.framewise else scores.mean(axis=0)
        positive = scores.clip(min=0)
        return TokenMap(weights=positive / max(float(positive.max()), np.finfo(np.float64).tiny), order=scores)
