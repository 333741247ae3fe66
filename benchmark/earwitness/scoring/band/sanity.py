"""Sanity checks of the band track: stretches of the clip that a sound starts from change places in time.

The sound is made anew from them, with the same prompt and noise. What follows the place in time alone stays; the
average truth of an instrument in training clips (`prior`) is of no clip, and stays too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from earwitness.errors import InvalidItemError
from earwitness.scoring.sanity import Permuted, TrackSanity, moved_blocks, rank_agreement
from earwitness.tracks.band import generate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from earwitness.tracks.band import BandItem, BandMap, BandModel


class BandSanity(TrackSanity):
    """Maps of instrument words, compared by the ranks of each word's cells."""

    moved = "stretches of the clip that the sound starts from change places in time"

    def run(self, model: BandModel, item: BandItem) -> None:
        """One step of the denoiser."""
        with torch.no_grad():
            latents = model.latents(torch.as_tensor(item.mel, device=model.device)[None])
            step = model.steps - 1
            model.denoised(model.noised(latents, [item.seed], step), step, model.encode([item.prompt]))

    def permuted(self, item: BandItem, scoring: Any, seed: int) -> Permuted:
        """The sound of the same prompt and noise that starts from the clip's frames in another order.

        Raises InvalidItemError where sounds start from noise alone.
        """
        if not item.start.size:
            raise InvalidItemError("its sound starts from noise alone, so there are no frames to move")
        order = moved_blocks(item.start.shape[1], seed)
        moved = replace(item, start=np.ascontiguousarray(item.start[:, order]))
        mel = generate(scoring.model, moved).mel[0].float().cpu().numpy()
        return Permuted(replace(moved, mel=np.ascontiguousarray(mel)), np.argsort(order))

    def agreement(
        self, item: BandItem, first: BandMap, second: BandMap, back: NDArray[np.int64] | None = None
    ) -> float:
        """Spearman's correlation over cells, averaged over instrument words."""
        one, other = first.instruments(item), second.instruments(item)
        other = other if back is None else other[..., back]
        return rank_agreement([cells.ravel() for cells in one], [cells.ravel() for cells in other])

    def magnitudes(self, item: BandItem, explanation: BandMap) -> list[NDArray[np.float64]]:
        """Cells of each instrument word."""
        return [cells.ravel() for cells in explanation.instruments(item)]


SANITY = BandSanity()
