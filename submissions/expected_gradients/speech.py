"""Expected gradients on the spectrogram and on the earlier tokens (arXiv 1906.10670)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
import torch
from pydantic import Field

from earwitness.explaining.token_gradients import added_cell_gradients, added_context_gradients
from earwitness.tracks.speech import SpeechExplainer, SpeechItem, SpeechMap, SpeechModel, to_unit

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class ExpectedGradients(SpeechExplainer):
    """Integrated gradients from many references instead of one: each the utterance with its frames in random order."""

    samples: Annotated[int, Field(ge=1)] = 200
    """Draws of a reference and of a place on the way from it; of the earlier tokens, of a place alone."""
    batch: Annotated[int, Field(ge=1)] = 16
    """Most spectrograms a pass; fewer where they would not fit into memory (`earwitness.explaining.memory`)."""

    def explain(self, model: SpeechModel, item: SpeechItem) -> SpeechMap:
        """The map of one item."""
        cells, context = (found.cpu().numpy() for found in self.attributions(model, item))
        return SpeechMap(spectrogram=to_unit(cells), prefix=np.tril(to_unit(np.tril(context, -1)), -1))

    def attributions(self, model: SpeechModel, item: SpeechItem) -> tuple[Tensor, Tensor]:
        """Attributions (nats) [O, T, M] of cells and [O, O] of earlier tokens, which go from absent to present."""
        features = torch.as_tensor(item.features, device=model.device)
        rng = np.random.default_rng(item.explainer_seed)
        orders = torch.as_tensor(rng.permuted(np.tile(np.arange(len(features)), (self.samples, 1)), axis=1))
        places, masks = (torch.as_tensor(rng.random(self.samples), dtype=features.dtype) for _ in range(2))
        references = features[orders.to(model.device)]
        way = features - references
        points = references + places.to(model.device)[:, None, None] * way
        cells = added_cell_gradients(model, item, points, way, self.batch)
        present = masks.to(model.device)[:, None].repeat(1, len(item.tokens))
        context = added_context_gradients(model, item, present, None, self.batch)
        return cells / self.samples, context / self.samples
