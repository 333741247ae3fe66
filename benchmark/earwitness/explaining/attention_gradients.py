"""Attention and its gradient: what `grad_cam`, `gradient_attention` and the relevance of Chefer et al. start from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from earwitness.tracks.prompt import Encoded, PromptItem, PromptModel, log_likelihood, without_special

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


def forced_likelihood(model: PromptModel, items: Sequence[PromptItem]) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Log-likelihood (nats) of the frames that items ask for, summed, and each layer's cross-attention [B, H, T, N].

    Teacher-forced, special tokens being out; the likelihood can be differentiated by every attention of the pass.
    """
    text = model.encode([item.prompt for item in items])
    codes = torch.as_tensor(np.stack([item.codes for item in items]), device=model.device)
    states = text.states.detach().clone().requires_grad_()
    mask = without_special(items, states)
    forced = model.teacher_forced(codes, Encoded(states, text.mask), mask, attentions=True)
    frames = log_likelihood(forced.logits, codes)
    asked = torch.stack([row[item.asked].sum() for row, item in zip(frames, items, strict=True)])
    return asked.sum(), forced.attentions


def gradient_weighted(likelihood: Tensor, attentions: Sequence[Tensor]) -> list[Tensor]:
    """Positive part of each attention [B, H, T, X] times the likelihood's gradient, averaged over heads: [B, T, X]."""
    gradients = torch.autograd.grad(likelihood, attentions)
    return [(a.detach() * g).relu().mean(1) for a, g in zip(attentions, gradients, strict=True)]
