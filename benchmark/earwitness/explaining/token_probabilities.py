"""Log-probabilities that a speech model gives to the tokens of a transcript."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def log_probabilities(logits: Tensor, tokens: Tensor) -> Tensor:
    """Log-probability [B, O] (nats) of tokens [1 or B, O] under logits [B, O, V]."""
    index = tokens.expand(len(logits), -1)[..., None]
    return logits.log_softmax(-1).gather(-1, index)[..., 0]
