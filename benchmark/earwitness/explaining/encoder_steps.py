"""From attention over a spectrogram's frames back to the encoder's steps, of which several frames share one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


def over_steps(attention: Tensor) -> tuple[Tensor, Tensor]:
    """Attention [..., E] over encoder steps, and the step [T] of each frame, of attention [..., T] over frames.

    `Attention.cross` spreads a step's share evenly over its frames: neighbours that are alike in everything are a step.

    >>> shares, step = over_steps(torch.tensor([[0.2, 0.2, 0.6]]))
    >>> shares.tolist(), step.tolist()
    ([[0.4000000059604645, 0.6000000238418579]], [0, 0, 1])
    """
    columns = attention.flatten(0, -2)
    starts = (columns[:, 1:] != columns[:, :-1]).any(0)
    step = torch.nn.functional.pad(starts.long().cumsum(0), (1, 0))
    count = torch.bincount(step)
    first = torch.cumsum(count, 0) - count
    return attention[..., first] * count, step
