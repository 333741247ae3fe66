"""Gradients along the text's states: what gradient times input and integrated gradients share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from earwitness.tracks.prompt import Encoded, PromptItem, PromptModel, log_likelihood, without_special

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


def state_attributions(model: PromptModel, items: Sequence[PromptItem], path: Tensor, window: int) -> np.ndarray:
    """Attributions [B, F, N] float64 (nats): each state times the gradient of each frame's window along it.

    The gradient of a window's summed teacher-forced log-likelihood is averaged over the points of `path` [P], shares
    of the way from states of zero to the text's own. `window` counts frames, 0 being all; within one all are alike.
    """
    points = len(path)
    text = model.encode([item.prompt for item in items])
    codes = torch.as_tensor(np.stack([item.codes for item in items]), device=model.device)
    states = text.states.detach()
    scaled = (path.to(states)[None, :, None, None] * states[:, None]).flatten(0, 1).requires_grad_()
    rows = codes.repeat_interleave(points, dim=0)
    mask = without_special(items, states).repeat_interleave(points, dim=0)
    logits = model.logits(rows, Encoded(scaled, text.mask.repeat_interleave(points, dim=0)), mask)
    attributions = []
    for frames in torch.split(log_likelihood(logits, rows).sum(0), window or codes.shape[-1]):
        (gradient,) = torch.autograd.grad(frames.sum(), scaled, retain_graph=True)
        mean = torch.unflatten(gradient, 0, (len(items), points)).mean(1)
        attributions.append((mean * states).sum(-1)[:, None].expand(-1, len(frames), -1))
    return torch.cat(attributions, dim=1).double().cpu().numpy()
