"""Shapley values of patches of the spectrogram, and of earlier tokens, by sampling orders in which they join."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
import torch
from pydantic import Field

from earwitness.explaining.memory import rows_at_once
from earwitness.explaining.permutation_sampling import draw_orders, joined, mean_contributions
from earwitness.explaining.token_probabilities import log_probabilities
from earwitness.tracks.speech import SpeechExplainer, SpeechItem, SpeechMap, SpeechModel, to_unit, utterance_mean

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


@dataclass
class ShapleySampling(SpeechExplainer):
    """What each patch, and each earlier token, adds to a token's log-probability as it joins, over random orders.

    Patches join an utterance of nothing but its mean, with all tokens in place; earlier tokens the whole sound.
    """

    orders: Annotated[int, Field(ge=1)] = 25
    """Orders drawn, of patches and of tokens."""
    frames: Annotated[int, Field(ge=1)] = 8
    """Frames of a patch; patches tile the spectrogram, the last ones being smaller."""
    bins: Annotated[int, Field(ge=1)] = 8
    """Mel bins of a patch."""
    batch: Annotated[int, Field(ge=1)] = 64
    """Most spectrograms a pass; fewer where they would not fit into memory (`earwitness.explaining.memory`)."""

    def explain(self, model: SpeechModel, item: SpeechItem) -> SpeechMap:
        """The map of one item: all cells of a patch alike."""
        patches, context = self.values(model, item)
        cells = patches[self.patches(item.features.shape)].transpose(2, 0, 1)
        return SpeechMap(spectrogram=to_unit(cells), prefix=np.tril(to_unit(np.tril(context.T, -1)), -1))

    def patches(self, shape: tuple[int, ...]) -> np.ndarray:
        """Number [T, M] of the patch that each cell belongs to."""
        across = -(-shape[1] // self.bins)
        return np.asarray(np.arange(shape[0])[:, None] // self.frames * across + np.arange(shape[1]) // self.bins)

    @torch.no_grad()
    def values(self, model: SpeechModel, item: SpeechItem) -> tuple[np.ndarray, np.ndarray]:
        """Contributions (nats) to each token's log-probability: [W, O] of patches, [O, O] of tokens to the later."""
        features = torch.as_tensor(item.features, device=model.device)
        mean = torch.as_tensor(utterance_mean(item.features), device=model.device)
        tokens = torch.as_tensor(item.tokens, device=model.device)[None]
        owner = torch.as_tensor(self.patches(item.features.shape), device=model.device)

        def with_patches(present: Tensor) -> Tensor:
            return model.logits(torch.where(present[:, owner], features, mean), tokens)

        def with_tokens(present: Tensor) -> Tensor:
            return model.logits(features[None], tokens, present.to(features.dtype))

        seed = item.explainer_seed
        of_patches = self._sampled(with_patches, draw_orders(int(owner.max()) + 1, self.orders, seed), tokens)
        return of_patches, self._sampled(with_tokens, draw_orders(tokens.shape[1], self.orders, seed + 1), tokens)

    def _sampled(self, logits: Callable[[Tensor], Tensor], orders: np.ndarray, tokens: Tensor) -> np.ndarray:
        """Mean contributions [W, O] over orders [P, W], one order's coalitions at a time."""

        def asked(present: Tensor) -> Tensor:
            return log_probabilities(logits(present), tokens)

        first = torch.as_tensor(joined(orders[:1])[0], device=tokens.device)
        fitting = rows_at_once(lambda: asked(first[:1]), self.batch, tokens.device)
        total = np.zeros((orders.shape[1], tokens.shape[1]))
        for order in orders:
            present = torch.as_tensor(joined(order[None])[0], device=tokens.device)
            values = torch.cat([asked(part) for part in torch.split(present, fitting)]).double().cpu().numpy()
            total += mean_contributions(order[None], values[None])
        return total / len(orders)
