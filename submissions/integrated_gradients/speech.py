"""Integrated gradients on the spectrogram and on the earlier tokens (arXiv 1703.01365)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
import torch
from pydantic import Field

from earwitness.explaining.memory import FEW, rows_at_once
from earwitness.explaining.token_probabilities import log_probabilities
from earwitness.tracks.speech import SpeechExplainer, SpeechItem, SpeechMap, SpeechModel, to_unit, utterance_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor


class Attributions(NamedTuple):
    """Signed attributions in nats."""

    cells: np.ndarray
    """[O, T, M]."""
    context: np.ndarray
    """[O, O] of earlier tokens, 0 from the diagonal on."""


class Refinement(NamedTuple):
    """What a number of points comes to."""

    steps: int
    found: Attributions
    error: float
    """By `completeness_error`."""


@dataclass
class IntegratedGradients(SpeechExplainer):
    """Gradient of each token's log-probability, averaged on the way from nothing to all there is, times the way.

    The cells' attributions of a token add up to its log-probability minus that on the utterance's mean; the earlier
    tokens' to its log-probability minus that without context (completeness). By how much they miss it says whether the
    points are enough: their number is doubled until the miss is within `tolerance` (Sundararajan et al. 2017, section
    5, ask for 5 %).
    """

    steps: Annotated[int, Field(ge=1)] = 50
    """Points on each straight path, at the middles of equal parts, to begin with."""
    tolerance: Annotated[float, Field(ge=0)] = 0.05
    """Largest miss of completeness, as `completeness_error` has it, of either path; 0: `steps` whatever they miss."""
    most: Annotated[int, Field(ge=1)] = 400
    """Points are not doubled beyond."""
    batch: int = 16
    """Most spectrograms a pass; fewer where they would not fit into memory (`earwitness.explaining.memory`)."""

    def explain(self, model: SpeechModel, item: SpeechItem) -> SpeechMap:
        """The map of one item."""
        found = self.attributions(model, item)
        return SpeechMap(spectrogram=to_unit(found.cells), prefix=np.tril(to_unit(found.context), -1))

    def attributions(self, model: SpeechModel, item: SpeechItem) -> Attributions:
        """Attributions at as many points as completeness asks for."""
        *_, last = self.refined(model, item)
        return last.found

    def refined(self, model: SpeechModel, item: SpeechItem) -> Iterator[Refinement]:
        """Attributions at `steps` points, then at twice as many as before, while they miss more than `tolerance`."""
        gains, steps = self.gains(model, item), self.steps
        while True:
            found = self.on_path(model, item, steps)
            error = completeness_error(found, gains)
            yield Refinement(steps, found, error)
            if not self.tolerance or error <= self.tolerance or 2 * steps > self.most:
                return
            steps *= 2

    @torch.no_grad()
    def gains(self, model: SpeechModel, item: SpeechItem) -> tuple[np.ndarray, np.ndarray]:
        """What a token gains (nats) by its sound over the utterance's mean, and by its context over none: [O] each."""
        features = torch.as_tensor(item.features, device=model.device)[None]
        mean = torch.as_tensor(utterance_mean(item.features), device=model.device).expand_as(features)
        tokens = torch.as_tensor(item.tokens, device=model.device)[None]
        whole, silent = log_probabilities(model.logits(torch.cat((features, mean)), tokens), tokens)
        masks = torch.zeros(1, tokens.shape[1], device=model.device)
        (alone,) = log_probabilities(model.logits(features, tokens, masks), tokens)
        return (whole - silent).cpu().numpy(), (whole - alone).cpu().numpy()

    def on_path(self, model: SpeechModel, item: SpeechItem, steps: int) -> Attributions:
        """Attributions at `steps` points of each path."""
        features = torch.as_tensor(item.features, device=model.device)[None]
        mean = torch.as_tensor(utterance_mean(item.features), device=model.device)
        tokens = torch.as_tensor(item.tokens, device=model.device)[None]
        path = (torch.arange(steps, device=model.device) + 0.5) / steps
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
        spectrogram = (cells / steps * (features - mean)).cpu().numpy()
        return Attributions(spectrogram, np.tril((context / steps).cpu().numpy(), -1))

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


def completeness_error(found: Attributions, gains: tuple[np.ndarray, np.ndarray]) -> float:
    """By how much attributions miss adding up to what there is to gain [O], as a share of it: the larger of two paths.

    Misses and gains of a path are added up over tokens by size, so that a token that gains nothing decides nothing.

    >>> none = np.zeros((2, 2))
    >>> cells = np.array([[[1.0, 1.0]], [[0.0, -1.0]]])
    >>> completeness_error(Attributions(cells, none), (np.array([2.0, -2.0]), np.zeros(2)))
    0.25
    """
    sums = found.cells.sum((1, 2)), found.context.sum(1)
    shares = [
        float(np.abs(made - gain).sum() / size) if (size := np.abs(gain).sum()) > 0 else 0.0
        for made, gain in zip(sums, gains, strict=True)
    ]
    return max(shares)
