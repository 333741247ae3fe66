"""Integrated gradients on the spectrogram and on the earlier tokens (arXiv 1703.01365)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
import torch
from pydantic import Field

from earwitness.explaining.memory import FEW, rows_at_once
from earwitness.explaining.token_probabilities import log_probabilities
from earwitness.tracks.speech import SpeechExplainer, SpeechItem, SpeechMap, SpeechModel, to_unit, utterance_mean

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


@dataclass
class IntegratedGradients(SpeechExplainer):
    """Gradient of each token's log-probability, averaged on the way from nothing to all there is, times the way.

    The cells' attributions of a token add up to its log-probability minus that on the utterance's mean; the earlier
    tokens' to its log-probability minus that without context.
    """

    steps: Annotated[int, Field(ge=1)] = 50
    """Points on each straight path, at the middles of equal parts."""
    batch: int = 16
    """Most spectrograms a pass; fewer where they would not fit into memory (`earwitness.explaining.memory`)."""

    def explain(self, model: SpeechModel, item: SpeechItem) -> SpeechMap:
        """The map of one item."""
        spectrogram, prefix = self.attributions(model, item)
        return SpeechMap(spectrogram=to_unit(spectrogram), prefix=np.tril(to_unit(prefix), -1))

    def attributions(self, model: SpeechModel, item: SpeechItem) -> tuple[np.ndarray, np.ndarray]:
        """Signed attributions (nats): [O, T, M] of cells, [O, O] of earlier tokens."""
        features = torch.as_tensor(item.features, device=model.device)[None]
        mean = torch.as_tensor(utterance_mean(item.features), device=model.device)
        tokens = torch.as_tensor(item.tokens, device=model.device)[None]
        path = (torch.arange(self.steps, device=model.device) + 0.5) / self.steps
        cells = torch.zeros(tokens.shape[1], *features.shape[1:], device=model.device)
        context = torch.zeros(tokens.shape[1], tokens.shape[1], device=model.device)

        def of_cells(part: Tensor) -> tuple[Tensor, Tensor]:
            rows = (mean + part[:, None, None] * (features - mean)).requires_grad_()
            return log_probabilities(model.logits(rows, tokens), tokens), rows

        def of_context(part: Tensor) -> tuple[Tensor, Tensor]:
            masks = part[:, None].repeat(1, tokens.shape[1]).requires_grad_()
            return log_probabilities(model.logits(features, tokens, masks), tokens), masks

        self._integrate(cells, of_cells, path[:1], path)
        self._integrate(context, of_context, path[:FEW], path)
        spectrogram = (cells / self.steps * (features - mean)).cpu().numpy()
        return spectrogram, np.tril((context / self.steps).cpu().numpy(), -1)

    def _integrate(
        self, total: Tensor, asked: Callable[[Tensor], tuple[Tensor, Tensor]], few: Tensor, path: Tensor
    ) -> None:
        """Add to total [O, ...] each token's gradients along a path [P]; `few` of its points say what a row weighs.

        `asked` gives log-probabilities [B, O] at points [B] and the rows [B, ...] that they are of.
        """

        def slope_of_first() -> None:
            scores, rows = asked(few)
            torch.autograd.grad(scores[:, 0].sum(), rows, allow_unused=True)

        fitting = rows_at_once(slope_of_first, self.batch, total.device, rows=len(few))
        for part in torch.split(path, fitting):
            values, rows = asked(part)
            scores = values.sum(0)
            for k, score in enumerate(scores):
                (gradient,) = torch.autograd.grad(score, rows, retain_graph=k + 1 < len(scores), materialize_grads=True)
                total[k] += gradient.sum(0)
