"""How the denoised spectrogram moves with the size of a word's embedding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
import torch
from pydantic import Field
from torch.nn.attention import SDPBackend, sdpa_kernel

from earwitness.tracks.band import BandExplainer, BandItem, BandMap, BandModel

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class Gradient(BandExplainer):
    """Size of each cell's derivative along the word's states, in what the model foretells of the noised sound."""

    steps: Annotated[int, Field(ge=1)] = 4
    """Noise levels, spread evenly over the steps that the item's generation runs."""

    # No inference mode: its tensors can carry no derivative.
    @torch.no_grad()
    def explain(self, model: BandModel, item: BandItem) -> BandMap:
        """The map of one item: for each instrument word the mean size of the derivative over the noise levels."""
        clean = model.latents(torch.from_numpy(item.mel[None]).to(model.device))
        found = [self.derivative(model, item, clean, step).abs() for step in self.levels(model, item)]
        return BandMap.of_instruments(item, torch.stack(found).mean(0).double().cpu().numpy())

    def levels(self, model: BandModel, item: BandItem) -> list[int]:
        """Numbers of the steps whose noise is added: the middles of equal parts of those that the generation runs."""
        first = model.steps - max(1, round(item.strength * model.steps)) if item.start.size else 0
        parts = (np.arange(self.steps) + 0.5) / self.steps
        return [int(first + part * (model.steps - first)) for part in parts]

    def derivative(self, model: BandModel, item: BandItem, clean: Tensor, step: int) -> Tensor:
        """Derivative [I, M, T] of the denoised log-mel spectrogram by the scale of each instrument word's states.

        `clean` are the sound's latents [1, ...]; what is added to them is the noise of the item's seed.
        """
        count = len(item.instruments)
        text = model.encode([item.prompt])
        noisy = model.noised(clean, [item.seed], step).expand(count, *clean.shape[1:])
        along = text.states * torch.as_tensor(item.named, device=model.device)[..., None]
        mask = text.mask.expand(count, -1)
        other = None if text.other is None else text.other.expand(count, -1, -1)

        def foretold(scale: Tensor) -> Tensor:
            rows = text._replace(states=text.states + scale * along, mask=mask, other=other)
            return model.decode(model.denoised(noisy, step, rows))

        scale = along.new_zeros(count, 1, 1)
        # The fused kernels of attention have no forward derivative.
        with sdpa_kernel(SDPBackend.MATH):
            moved: Tensor = torch.func.jvp(foretold, (scale,), (torch.ones_like(scale),))[1]
        return moved
