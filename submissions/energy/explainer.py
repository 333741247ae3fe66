"""The spectrogram itself as a map: a control that never asks the model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from earwitness.tracks.speech import SpeechExplainer, SpeechItem, SpeechMap, SpeechModel, to_unit


@dataclass
class Energy(SpeechExplainer):
    """Loud cells matter, the same for all tokens; of the earlier tokens, the later the more."""

    def explain(self, model: SpeechModel, item: SpeechItem) -> SpeechMap:
        """The spectrogram between its least and its largest cell, and how recent each earlier token is."""
        order = np.arange(len(item.tokens))
        recency = np.tril((order + 1) / np.maximum(order, 1)[:, None], -1)
        spectrogram = to_unit(item.features[None].astype(np.float32))
        return SpeechMap(spectrogram=np.repeat(spectrogram, len(order), axis=0), prefix=recency)
