"""Sanity checks of the speech track: stretches of the spectrogram change places in time, and the transcript stays.

Nothing said is understood any more, so that a map may well change altogether; what follows the place in time alone
stays. Compared is the map of the spectrogram: ranks of one or two earlier tokens tell nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from earwitness.scoring.sanity import Permuted, TrackSanity, moved_blocks, rank_agreement

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from earwitness.tracks.speech import SpeechItem, SpeechMap, SpeechModel


class SpeechSanity(TrackSanity):
    """Maps of the spectrogram, compared by the ranks of each token's cells."""

    moved = "stretches of the sound change places in time"

    def run(self, model: SpeechModel, item: SpeechItem) -> None:
        """Encoder and decoder, teacher-forced."""
        features, tokens = (torch.as_tensor(each, device=model.device)[None] for each in (item.features, item.tokens))
        with torch.no_grad():
            model.logits(features, tokens)

    def permuted(self, item: SpeechItem, scoring: Any, seed: int) -> Permuted:
        """The same transcript with the spectrogram's frames in another order."""
        order = moved_blocks(len(item.features), seed)
        return Permuted(replace(item, features=item.features[order]), np.argsort(order))

    def agreement(
        self, item: SpeechItem, first: SpeechMap, second: SpeechMap, back: NDArray[np.int64] | None = None
    ) -> float:
        """Spearman's correlation over cells, averaged over tokens."""
        other = second.spectrogram if back is None else second.spectrogram[:, back]
        return rank_agreement([cells.ravel() for cells in first.spectrogram], [cells.ravel() for cells in other])

    def magnitudes(self, item: SpeechItem, explanation: SpeechMap) -> list[NDArray[np.float64]]:
        """Cells of each token."""
        return [cells.ravel().astype(np.float64) for cells in explanation.spectrogram]


SANITY = SpeechSanity()
