"""Gradients along the text's states: what gradient times input and integrated gradients share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from earwitness.tracks.prompt import Encoded, PromptItem, PromptModel, log_likelihood, without_special

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor


def state_attributions(model: PromptModel, items: Sequence[PromptItem], path: Tensor, window: int) -> np.ndarray:
    """Attributions [B, F, N] float64 (nats): each state times the gradient of each frame's window along it.

    The gradient of a window's summed teacher-forced log-likelihood is averaged over the points of `path` [P], shares
    of the way from states of zero to the text's own. `window` counts frames, 0 being all that an item asks for, and the
    others; within one all are alike.
    """
    points = len(path)
    text = model.encode([item.prompt for item in items])
    codes = torch.as_tensor(np.stack([item.codes for item in items]), device=model.device)
    states = text.states.detach()
    scaled = (path.to(states)[None, :, None, None] * states[:, None]).flatten(0, 1).requires_grad_()
    rows = codes.repeat_interleave(points, dim=0)
    mask = without_special(items, states).repeat_interleave(points, dim=0)
    logits = model.logits(rows, Encoded(scaled, text.mask.repeat_interleave(points, dim=0)), mask)
    likelihoods = log_likelihood(logits, rows)
    attributions = states.new_zeros(len(items), codes.shape[-1], states.shape[1])
    for frames in _windows(items, window):
        own = torch.as_tensor(frames, device=states.device)
        within = likelihoods * own.repeat_interleave(points, dim=0)
        (gradient,) = torch.autograd.grad(within.sum(), scaled, retain_graph=True)
        mean = torch.unflatten(gradient, 0, (len(items), points)).mean(1)
        attributions += own[..., None] * (mean * states).sum(-1)[:, None]
    return attributions.double().cpu().numpy()


def _windows(items: Sequence[PromptItem], window: int) -> Iterator[np.ndarray]:
    """Frames [B, F] of each window; every frame is in one."""
    count = items[0].codes.shape[1]
    if window:
        for start in range(0, count, window):
            places = np.arange(count)
            yield np.tile((places >= start) & (places < start + window), (len(items), 1))
        return
    asked = np.zeros((len(items), count), dtype=bool)
    for row, item in zip(asked, items, strict=True):
        row[item.asked] = True
    yield asked
    if not asked.all():
        yield ~asked
