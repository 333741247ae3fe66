"""Audio classifiers that metrics listen with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor


class Judge(Protocol):
    """Says which classes sound in a clip. Each file of this package has a `load(source, revision, device) -> Judge`."""

    labels: tuple[str, ...]
    """Names of the C classes."""
    sample_rate: int
    """Hz of the audio that it hears."""

    def logits(self, audio: Tensor) -> Tensor:
        """[B, C] of audio [B, S]."""

    def probabilities(self, audio: Tensor) -> Tensor:
        """Softmax of the logits, [B, C], of audio [B, S]: what Fid and KL are computed from."""

    def presence(self, audio: Tensor) -> Tensor:
        """Sigmoid of the logits, [B, C], of audio [B, S]: above 0.5 where a class sounds."""
