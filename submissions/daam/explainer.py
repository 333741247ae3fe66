"""DAAM: heat maps of words from the cross-attention of a generation (arXiv 2210.04885)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import interpolate

from earwitness.tracks.band import AttentionSums, BandExplainer, BandItem, BandMap, BandModel, generate, layer_numbers

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class Daam(BandExplainer):
    """Attention on each token, resized by head and layer to one grid and summed over heads, layers and steps."""

    layers: Sequence[int] = ()
    """Numbers of the layers whose attention is summed; none for all."""

    @torch.inference_mode()
    def explain(self, model: BandModel, item: BandItem) -> BandMap:
        """The map of one item; raises ValueError for a layer that the model has not."""
        seen, layers = AttentionSums(), layer_numbers(model, self.layers)
        generate(model, item, record=seen)
        maps = [heat(seen.sums[layer][0], item.mel.shape) for layer in layers]
        return BandMap(maps=torch.stack(maps).sum(0).cpu().numpy())


def heat(attention: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Heat maps [N, M, T] of a layer's attention [H, t, m, N]: each head resized without undershoot, then summed."""
    large = interpolate(attention.permute(0, 3, 2, 1).float(), size=shape, mode="bicubic", align_corners=False)
    return large.clamp_min(0).sum(0)
