"""Gradients of each token's log-probability, added up over random spectrograms or masks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from earwitness.explaining.memory import FEW, rows_at_once
from earwitness.explaining.token_probabilities import log_probabilities

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from earwitness.tracks.speech import SpeechItem, SpeechModel


def added_cell_gradients(
    model: SpeechModel, item: SpeechItem, points: Tensor, factors: Tensor | None, batch: int
) -> Tensor:
    """Sum [O, T, M] over points [P, T, M] of each token's gradient, times `factors` [P, T, M] where they are given.

    At most `batch` points a pass, fewer where they would not fit into memory.
    """
    tokens = torch.as_tensor(item.tokens, device=model.device)[None]
    return _added(lambda rows: log_probabilities(model.logits(rows, tokens), tokens), points, factors, batch, 1)


def added_context_gradients(
    model: SpeechModel, item: SpeechItem, points: Tensor, factors: Tensor | None, batch: int
) -> Tensor:
    """The same [O, O] over prefix masks [P, O], the sound being whole."""
    features = torch.as_tensor(item.features, device=model.device)[None]
    tokens = torch.as_tensor(item.tokens, device=model.device)[None]
    scored = lambda masks: log_probabilities(model.logits(features, tokens, masks), tokens)  # noqa: E731
    return _added(scored, points, factors, batch, FEW)


def _added(scored: Callable[[Tensor], Tensor], points: Tensor, factors: Tensor | None, batch: int, few: int) -> Tensor:
    """Gradients [O, ...] of scores [B, O] by points, added up; `few` points say what a row of a pass weighs."""
    weights = torch.ones_like(points) if factors is None else factors

    def slope_of_first() -> None:
        rows = points[:few].clone().requires_grad_()
        torch.autograd.grad(scored(rows)[:, 0].sum(), rows, allow_unused=True)

    fitting = rows_at_once(slope_of_first, batch, points.device, rows=len(points[:few]))
    total: list[Tensor] = []
    for part, weight in zip(torch.split(points, fitting), torch.split(weights, fitting), strict=True):
        rows = part.clone().requires_grad_()
        scores = scored(rows).sum(0)
        for k, score in enumerate(scores):
            (gradient,) = torch.autograd.grad(score, rows, retain_graph=k + 1 < len(scores), materialize_grads=True)
            moved = (gradient * weight).sum(0)
            if len(total) <= k:
                total.append(moved)
            else:
                total[k] += moved
    return torch.stack(total)
