"""Attention read as an explanation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from earwitness.tracks.speech import SpeechExplainer, SpeechItem, SpeechMap, SpeechModel, to_unit

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class Attention(SpeechExplainer):
    """Teacher-forced attention over frames and earlier tokens, reduced over the decoder's layers and heads."""

    reduce: str = "mean"
    """Over layers and heads: mean or max."""

    def __post_init__(self) -> None:
        if self.reduce not in {"mean", "max"}:
            raise ValueError(f"reduce must be mean or max; found {self.reduce!r}")

    @torch.no_grad()
    def explain(self, model: SpeechModel, item: SpeechItem) -> SpeechMap:
        """The map of one item: all bins of a frame alike."""
        features = torch.as_tensor(item.features, device=model.device)[None]
        tokens = torch.as_tensor(item.tokens, device=model.device)[None]
        attention = model.attention(features, tokens)
        frames = to_unit(self._reduced(attention.cross))
        prefix = np.tril(to_unit(np.tril(self._reduced(attention.prefix), -1)), -1)
        return SpeechMap(spectrogram=np.repeat(frames[..., None], item.features.shape[1], axis=2), prefix=prefix)

    def _reduced(self, attention: Tensor) -> np.ndarray:
        """Attention [1, L, H, O, X] over layers and heads, [O, X]."""
        heads = attention[0].flatten(0, 1)
        reduced: np.ndarray = (heads.mean(0) if self.reduce == "mean" else heads.amax(0)).float().cpu().numpy()
        return reduced
