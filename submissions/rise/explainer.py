"""RISE: what the token's probability is worth, averaged over smooth random masks (arXiv 1806.07421)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
import torch
from pydantic import Field
from torch.nn.functional import interpolate

from earwitness.explaining.memory import FEW, rows_at_once
from earwitness.tracks.speech import SpeechExplainer, SpeechItem, SpeechMap, SpeechModel, to_unit, utterance_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor


@dataclass
class Rise(SpeechExplainer):
    """The mean of random masks, weighted by the probability that each token keeps under them."""

    masks: Annotated[int, Field(ge=1)] = 4000
    """Random masks of the spectrogram."""
    prefix_masks: Annotated[int, Field(ge=1)] = 400
    """Random masks of the earlier tokens."""
    frames: int = 16
    """Frames of a cell of the grid that masks are drawn on."""
    bins: int = 8
    """Mel bins of a cell of the grid."""
    p: float = 0.5
    """Probability that a cell of the grid, or an earlier token, is kept."""
    batch: int = 64
    """Most spectrograms a pass; fewer where they would not fit into memory (`earwitness.explaining.memory`)."""

    @torch.no_grad()
    def explain(self, model: SpeechModel, item: SpeechItem) -> SpeechMap:
        """The map of one item."""
        features = torch.as_tensor(item.features, device=model.device)
        mean = torch.as_tensor(utterance_mean(item.features), device=model.device)
        tokens = torch.as_tensor(item.tokens, device=model.device)[None]

        def asked(rows: Tensor, masks: Tensor | None = None) -> Tensor:
            return probabilities(model.logits(rows, tokens, masks), tokens)

        fitting = rows_at_once(lambda: asked(features[None]), self.batch, model.device)
        rng, context_rng = np.random.default_rng(item.explainer_seed).spawn(2)
        cells = torch.zeros(tokens.shape[1], features.numel(), device=model.device)
        for masks in self.draw(rng, *item.features.shape):
            for part in torch.split(masks, fitting):
                kept = part.to(model.device)
                cells += asked(mean + kept * (features - mean)).T @ kept.flatten(1)
        context = torch.zeros(tokens.shape[1], tokens.shape[1], device=model.device)
        drawn = torch.as_tensor(context_rng.random((self.prefix_masks, tokens.shape[1])) < self.p).to(cells)
        few = drawn[:FEW]
        fitting = rows_at_once(lambda: asked(features[None], few), self.batch, model.device, rows=len(few))
        for kept in torch.split(drawn, fitting):
            context += asked(features[None], kept).T @ kept
        spectrogram = (cells / (self.masks * self.p)).view(-1, *features.shape).cpu().numpy()
        prefix = np.tril((context / (self.prefix_masks * self.p)).cpu().numpy(), -1)
        return SpeechMap(spectrogram=to_unit(spectrogram), prefix=np.tril(to_unit(prefix), -1))

    def draw(self, rng: np.random.Generator, frames: int, bins: int) -> Iterator[Tensor]:
        """Masks [B, T, M] in [0, 1] of expectation `p`: grids enlarged bilinearly, shifted by less than a cell."""
        grids, shifts = rng.spawn(2)
        height, width = -(-frames // self.frames) + 1, -(-bins // self.bins) + 1
        for start in range(0, self.masks, self.batch):
            count = min(self.batch, self.masks - start)
            grid = torch.as_tensor(grids.random((count, 1, height, width)) < self.p, dtype=torch.float32)
            size = (height * self.frames, width * self.bins)
            large = interpolate(grid, size=size, mode="bilinear", align_corners=False)[:, 0]
            shift = torch.as_tensor((shifts.random((count, 2)) * (self.frames, self.bins)).astype(np.int64))
            rows, columns = shift[:, :1] + torch.arange(frames), shift[:, 1:] + torch.arange(bins)
            yield large[torch.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]


def probabilities(logits: Tensor, tokens: Tensor) -> Tensor:
    """Probability [B, O] of tokens [1, O] under logits [B, O, V]."""
    index = tokens.expand(len(logits), -1)[..., None]
    return logits.softmax(-1).gather(-1, index)[..., 0]
