"""Leave one patch of the spectrogram, or one earlier token, out and see what it costs."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import torch

from earwitness.explaining.memory import LiveBytes, rows_of
from earwitness.explaining.token_probabilities import log_probabilities
from earwitness.tracks.speech import SpeechExplainer, SpeechItem, SpeechMap, SpeechModel, to_unit, utterance_mean

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class Occlusion(SpeechExplainer):
    """The fall of each token's log-probability when a patch is set to the utterance's mean, or a token is removed."""

    frames: int = 8
    """Frames of a patch; patches tile the spectrogram, the last ones being smaller."""
    bins: int = 8
    """Mel bins of a patch."""
    logarithm: bool = True
    """Whether falls are of the log-probability, else of the probability."""
    batch: int = 64
    """Most spectrograms a pass; fewer where they would not fit into memory (`earwitness.explaining.memory`)."""

    def explain(self, model: SpeechModel, item: SpeechItem) -> SpeechMap:
        """The map of one item."""
        spectrogram, prefix = self.falls(model, item)
        return SpeechMap(spectrogram=to_unit(spectrogram), prefix=np.tril(to_unit(prefix), -1))

    @torch.no_grad()
    def falls(self, model: SpeechModel, item: SpeechItem) -> tuple[np.ndarray, np.ndarray]:
        """Signed falls: [O, T, M] without the cell's patch, [O, O] without the earlier token."""
        features = torch.as_tensor(item.features, device=model.device)[None]
        mean = torch.as_tensor(utterance_mean(item.features), device=model.device)
        tokens = torch.as_tensor(item.tokens, device=model.device)[None]

        def asked(rows: Tensor, masks: Tensor | None = None) -> np.ndarray:
            return self._values(model.logits(rows, tokens, masks), tokens)

        with LiveBytes() as live:
            whole = asked(features)[0]
        fitting = rows_of(live.peak, self.batch, model.device)
        spectrogram = np.empty((len(whole), *item.features.shape), dtype=np.float32)
        frames, bins = item.features.shape
        patches = tiles((frames, bins), (self.frames, self.bins))
        for start in range(0, len(patches), fitting):
            chunk = patches[start : start + fitting]
            rows = features.repeat(len(chunk), 1, 1)
            for row, (time, band) in zip(rows, chunk, strict=True):
                row[time, band] = mean[band]
            for value, (time, band) in zip(asked(rows), chunk, strict=True):
                spectrogram[:, time, band] = (whole - value)[:, None, None]
        left_out = 1 - torch.eye(len(whole), device=model.device)
        without = np.concatenate([asked(features, part) for part in torch.split(left_out, fitting)])
        return spectrogram, np.tril((whole - without).T, -1)

    def _values(self, logits: Tensor, tokens: Tensor) -> np.ndarray:
        """Log-probability (nats) or probability [B, O] of tokens [1, O] under logits [B, O, V]."""
        logarithms = log_probabilities(logits, tokens)
        values: np.ndarray = (logarithms if self.logarithm else logarithms.exp()).cpu().numpy()
        return values


def tiles(whole: tuple[int, int], patch: tuple[int, int]) -> list[tuple[slice, slice]]:
    """Patches that tile a whole of some frames and bins, those at its end being smaller.

    >>> tiles((3, 2), (2, 2))
    [(slice(0, 2, None), slice(0, 2, None)), (slice(2, 3, None), slice(0, 2, None))]
    """
    (frames, bins), (height, width) = whole, patch
    starts = product(range(0, frames, height), range(0, bins, width))
    return [(slice(t, min(t + height, frames)), slice(m, min(m + width, bins))) for t, m in starts]
