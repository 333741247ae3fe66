"""SmoothGrad on the spectrogram (arXiv 1706.03825)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from pydantic import Field

from earwitness.explaining.memory import rows_at_once
from earwitness.explaining.token_probabilities import log_probabilities
from earwitness.tracks.speech import SpeechExplainer, SpeechItem, SpeechMap, SpeechModel, to_unit


@dataclass
class SmoothGrad(SpeechExplainer):
    """Size of each token's mean gradient over copies of the spectrogram with Gaussian noise added.

    The earlier tokens' weights are sizes of the mean slopes along their presence in the same noisy copies.
    """

    samples: Annotated[int, Field(ge=1)] = 50
    """Noisy copies."""
    noise: Annotated[float, Field(ge=0)] = 0.15
    """Standard deviation of the noise as a share of the spectrogram's largest value minus its smallest."""
    batch: int = 16
    """Most copies a pass; fewer where they would not fit into memory (`earwitness.explaining.memory`)."""

    def explain(self, model: SpeechModel, item: SpeechItem) -> SpeechMap:
        """The map of one item."""
        cells, context = self.gradients(model, item)
        return SpeechMap(spectrogram=to_unit(np.abs(cells)), prefix=np.tril(to_unit(np.abs(context)), -1))

    def gradients(self, model: SpeechModel, item: SpeechItem) -> tuple[np.ndarray, np.ndarray]:
        """Mean gradients (nats) of each token's log-probability: [O, T, M] by cell, [O, O] by earlier token."""
        features = torch.as_tensor(item.features, device=model.device)
        tokens = torch.as_tensor(item.tokens, device=model.device)[None]
        deviation = self.noise * (features.max() - features.min())
        drawn = torch.randn(
            (self.samples, *features.shape), generator=torch.Generator().manual_seed(item.explainer_seed)
        )
        count = tokens.shape[1]
        cells = torch.zeros(count, *features.shape, device=model.device)
        context = torch.zeros(count, count, device=model.device)

        def asked(part: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
            rows = (features + deviation * part.to(features)).requires_grad_()
            masks = torch.ones(len(part), count, device=model.device, requires_grad=True)
            return log_probabilities(model.logits(rows, tokens, masks), tokens), rows, masks

        def slope_of_first() -> None:
            scores, rows, _ = asked(drawn[:1])
            torch.autograd.grad(scores[:, 0].sum(), rows)

        for part in torch.split(drawn, rows_at_once(slope_of_first, self.batch, cells.device)):
            scores, rows, masks = asked(part)
            for k, score in enumerate(scores.sum(0)):
                by_cell, by_token = torch.autograd.grad(
                    score, (rows, masks), retain_graph=k + 1 < count, materialize_grads=True
                )
                cells[k] += by_cell.sum(0)
                context[k] += by_token.sum(0)
        return (cells / self.samples).cpu().numpy(), np.tril((context / self.samples).cpu().numpy(), -1)
