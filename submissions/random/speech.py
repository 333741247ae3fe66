"""Maps drawn at random: the floor of every metric."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from earwitness.tracks.speech import SpeechExplainer, SpeechItem, SpeechMap, SpeechModel


@dataclass
class Random(SpeechExplainer):
    """Independent uniform cells and earlier tokens, fixed by the item's explainer seed."""

    def explain(self, model: SpeechModel, item: SpeechItem) -> SpeechMap:
        """A map whose every entry is uniform on [0, 1)."""
        rng, tokens = np.random.default_rng(item.explainer_seed), len(item.tokens)
        spectrogram = rng.random((tokens, *item.features.shape), dtype=np.float32)
        return SpeechMap(spectrogram=spectrogram, prefix=np.tril(rng.random((tokens, tokens), dtype=np.float32), -1))
