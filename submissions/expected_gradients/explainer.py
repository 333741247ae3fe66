"""Expected gradients on the spectrogram and on the earlier tokens (arXiv 1906.10670)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
import torch
from pydantic import Field

from earwitness.explaining.memory import rows_at_once
from earwitness.explaining.token_probabilities import log_probabilities
from earwitness.tracks.speech import SpeechExplainer, SpeechItem, SpeechMap, SpeechModel, to_unit

if TYPE_CHECKING:
    from torch import Tensor


class Draws(NamedTuple):
    """References and places on the way from them."""

    frames: np.ndarray
    """[S, T]: the frame of the utterance that stands in each place of a reference."""
    ways: np.ndarray
    """[S] in [0, 1): how far along the way from reference to utterance."""


@dataclass
class ExpectedGradients(SpeechExplainer):
    """Integrated gradients whose reference is drawn, and with it the place on the path: one of each a sample.

    A reference is the utterance's own frames, drawn with replacement: its spectrum without its order in time. That of
    the earlier tokens is their absence. Attributions of a token add up, on average, to its log-probability minus that
    on the references.
    """

    samples: Annotated[int, Field(ge=1)] = 200
    """References, each with a place on the way from it."""
    batch: int = 16
    """Most spectrograms a pass; fewer where they would not fit into memory (`earwitness.explaining.memory`)."""

    def explain(self, model: SpeechModel, item: SpeechItem) -> SpeechMap:
        """The map of one item."""
        cells, context = self.attributions(model, item)
        return SpeechMap(spectrogram=to_unit(cells), prefix=np.tril(to_unit(context), -1))

    def draws(self, item: SpeechItem) -> Draws:
        """What the samples of an item are."""
        rng = np.random.default_rng(item.explainer_seed)
        frames = len(item.features)
        return Draws(rng.integers(frames, size=(self.samples, frames)), rng.random(self.samples))

    def attributions(self, model: SpeechModel, item: SpeechItem) -> tuple[np.ndarray, np.ndarray]:
        """Signed attributions (nats): [O, T, M] of cells, [O, O] of earlier tokens, 0 from the diagonal on."""
        features = torch.as_tensor(item.features, device=model.device)
        tokens = torch.as_tensor(item.tokens, device=model.device)[None]
        count = tokens.shape[1]
        frames, ways = (torch.as_tensor(each, device=model.device) for each in self.draws(item))
        cells = torch.zeros(count, *features.shape, device=model.device)
        context = torch.zeros(count, count, device=model.device)

        def of_cells(part: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            away = features - features[frames[part]]
            rows = (features - (1 - ways[part, None, None].to(features)) * away).requires_grad_()
            return log_probabilities(model.logits(rows, tokens), tokens), rows, away

        def of_context(part: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            masks = ways[part, None].to(features).repeat(1, count).requires_grad_()
            whole = features.expand(len(part), -1, -1)
            return log_probabilities(model.logits(whole, tokens, masks), tokens), masks, torch.ones_like(masks)

        def slope_of_first() -> None:
            scores, rows, _ = of_cells(torch.zeros(1, dtype=torch.long, device=model.device))
            torch.autograd.grad(scores[:, 0].sum(), rows)

        fitting = rows_at_once(slope_of_first, self.batch, cells.device)
        for part in torch.split(torch.arange(self.samples, device=model.device), fitting):
            for total, asked in ((cells, of_cells), (context, of_context)):
                scores, rows, away = asked(part)
                for k, score in enumerate(scores.sum(0)):
                    (slope,) = torch.autograd.grad(score, rows, retain_graph=k + 1 < count, materialize_grads=True)
                    total[k] += (slope * away).sum(0)
        return (cells / self.samples).cpu().numpy(), np.tril((context / self.samples).cpu().numpy(), -1)
