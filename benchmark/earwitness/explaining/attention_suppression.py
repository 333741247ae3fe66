"""Attention manipulated before the softmax (AtMan, arXiv 2301.08110): cross-attention of every layer and head."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from earwitness.models import masked_attention

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from earwitness.models.masked_attention import Masking


def suppressed(attention: Tensor, factors: Tensor) -> Tensor:
    """Attention [R, H, T, N] whose scores before the softmax are shifted to a least of 0 and multiplied by factors.

    `factors` [R, 1, 1 or T, N] are 1 for tokens that are left alone, in (0, 1) for those that are suppressed, 0 for
    those that are not there (padding). The least is that of a row's tokens, in each layer, head and step. Scores are
    read from `attention` after softmax: its logarithm is the score up to a constant of the row, which the shift takes
    away.

    >>> rows = torch.tensor([1.0, 3.0, 9.0]).div(13)[None, None, None]  # shifted scores 0, log 3, log 9
    >>> suppressed(rows, torch.tensor([1.0, 1.0, 0.5])).mul(7).round().tolist()  # half of log 9 is log 3
    [[[[1.0, 3.0, 3.0]]]]
    """
    absent = factors == 0
    scores = attention.clamp_min(torch.finfo(attention.dtype).tiny).log()
    least = scores.masked_fill(absent, float("inf")).amin(-1, keepdim=True)
    return ((scores - least) * factors).masked_fill(absent, float("-inf")).softmax(-1)


@contextmanager
def suppressing() -> Iterator[None]:
    """Within it, every model's token mask [B, N] holds factors of `suppressed`, whatever removal operator is named."""
    plain = masked_attention.remove

    def attend(attention: Tensor, value: Tensor, masking: Masking, reference: Tensor | None = None) -> Tensor:
        if masking.weights is None:
            return plain(attention, value, masking, reference)
        return suppressed(attention, masking.weights) @ value

    masked_attention.remove = attend
    try:
        yield
    finally:
        masked_attention.remove = plain
