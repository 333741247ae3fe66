"""SmoothGrad on the spectrogram and on the earlier tokens (arXiv 1706.03825)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from pydantic import Field

from earwitness.explaining.token_gradients import added_cell_gradients, added_context_gradients
from earwitness.tracks.speech import SpeechExplainer, SpeechItem, SpeechMap, SpeechModel, to_unit


@dataclass
class SmoothGrad(SpeechExplainer):
    """Size of the gradient of each token's log-probability, averaged over inputs that noise was added to."""

    samples: Annotated[int, Field(ge=1)] = 50
    """Noisy spectrograms, and as many noisy masks of the earlier tokens."""
    noise: Annotated[float, Field(ge=0)] = 0.15
    """Deviation of the noise: a share of what lies between the spectrogram's least and largest cell; of masks, of 1."""
    batch: Annotated[int, Field(ge=1)] = 16
    """Most spectrograms a pass; fewer where they would not fit into memory (`earwitness.explaining.memory`)."""

    def explain(self, model: SpeechModel, item: SpeechItem) -> SpeechMap:
        """The map of one item."""
        cells, context = (gradients.abs().cpu().numpy() for gradients in self.gradients(model, item))
        return SpeechMap(spectrogram=to_unit(cells), prefix=np.tril(to_unit(np.tril(context, -1)), -1))

    def gradients(self, model: SpeechModel, item: SpeechItem) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean gradients [O, T, M] by cells and [O, O] by earlier tokens, each with the other in place."""
        features = torch.as_tensor(item.features)
        drawn = torch.Generator().manual_seed(item.explainer_seed)
        spread = self.noise * float(features.max() - features.min())
        noisy = features + spread * torch.randn(self.samples, *features.shape, generator=drawn)
        masks = 1 + self.noise * torch.randn(self.samples, len(item.tokens), generator=drawn)
        cells = added_cell_gradients(model, item, noisy.to(model.device), None, self.batch)
        context = added_context_gradients(model, item, masks.to(model.device), None, self.batch)
        return cells / self.samples, context / self.samples
