"""Gradients of a sound's likelihood at points that stand for its text's states: SmoothGrad, expected gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from earwitness.tracks.prompt import Encoded, PromptItem, PromptModel, log_likelihood, without_special

if TYPE_CHECKING:
    from torch import Tensor


class FrameGradients(NamedTuple):
    """Gradients of the log-likelihood (nats) of some frames, summed, and of the others', where there are any."""

    frames: np.ndarray
    """[W, F] bool: the frames that an item asks for, and the others; each frame is in one."""
    gradients: Tensor
    """[W, P, N, D] by the states of each point."""

    def rows(self, scores: np.ndarray) -> np.ndarray:
        """Scores [W, N] of tokens as rows [F, N]: within the same frames all are alike."""
        return np.asarray(self.frames.T.astype(np.float64) @ scores)


def likelihood_gradients(model: PromptModel, item: PromptItem, points: Tensor, batch: int) -> FrameGradients:
    """Gradients at points [P, N, D], teacher-forced, special tokens being out; `batch` points a pass."""
    text = model.encode([item.prompt])
    codes = torch.as_tensor(item.codes, device=model.device)[None]
    asked = np.zeros((1, codes.shape[-1]), dtype=bool)
    asked[:, item.asked] = True
    frames = asked if asked.all() else np.concatenate([asked, ~asked])
    kept = without_special([item], text.states)
    found: list[list[Tensor]] = [[] for _ in frames]
    for part in torch.split(points.detach(), batch):
        states, rows = part.clone().requires_grad_(), codes.expand(len(part), -1, -1)
        encoded = Encoded(states, text.mask.expand(len(part), -1))
        likelihoods = log_likelihood(model.logits(rows, encoded, kept.expand(len(part), -1)), rows)
        for number, own in enumerate(frames):
            total = likelihoods[:, torch.as_tensor(own, device=model.device)].sum()
            found[number].append(torch.autograd.grad(total, states, retain_graph=number + 1 < len(frames))[0])
    return FrameGradients(frames, torch.stack([torch.cat(parts) for parts in found]))
