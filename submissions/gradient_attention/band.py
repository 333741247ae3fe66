"""Cross-attention times its gradient, element by element, in all layers of a diffusion denoiser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
import torch
from pydantic import Field

from earwitness.explaining.denoiser_attention import grid_of, read_cross_attention
from earwitness.tracks.band import BandExplainer, BandItem, BandMap, BandModel, on_mel_grid

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class GradientAttention(BandExplainer):
    """Positive part of attention on each token times its gradient, averaged over heads, layers and noise levels.

    The gradient is that of how well the denoiser foretells the item's own sound: minus the mean squared error of the
    clean latents, under the noise of the item's seed. White box: it reads the layers of a UNet of diffusers.
    """

    steps: Annotated[int, Field(ge=1)] = 8
    """Noise levels, spread evenly over the steps that the item's generation runs."""

    def explain(self, model: BandModel, item: BandItem) -> BandMap:
        """The map of one item."""
        with torch.no_grad():
            clean = model.latents(torch.as_tensor(item.mel, device=model.device)[None])
        found = [self.products(model, item, clean, step) for step in self.levels(model, item)]
        return BandMap(maps=torch.stack(found).mean(0).double().cpu().numpy())

    def levels(self, model: BandModel, item: BandItem) -> list[int]:
        """Numbers of the steps whose noise is added: the middles of equal parts of those that the generation runs."""
        first = model.steps - max(1, round(item.strength * model.steps)) if item.start.size else 0
        parts = (np.arange(self.steps) + 0.5) / self.steps
        return [int(first + part * (model.steps - first)) for part in parts]

    def products(self, model: BandModel, item: BandItem, clean: Tensor, step: int) -> Tensor:
        """Positive parts [N, M, T] of attention times gradient at a noise level, mean over heads and layers.

        `clean` are the sound's latents [1, C, t, m].
        """
        text = model.encode([item.prompt])
        states = text.states.detach().clone().requires_grad_()
        with read_cross_attention(model.module) as record:
            foretold = model.denoised(model.noised(clean, [item.seed], step), step, text._replace(states=states))
            likelihood = -(foretold - clean).square().mean()
        gradients = torch.autograd.grad(likelihood, record)
        maps = []
        for attention, gradient in zip(record, gradients, strict=True):
            weighted = (attention.detach() * gradient).relu()[0].mean(0)
            grid = grid_of(len(weighted), (clean.shape[-2], clean.shape[-1]))
            maps.append(on_mel_grid(weighted.T.reshape(-1, *grid), item.mel.shape))
        return torch.stack(maps).mean(0)[: len(item.tokens)]
