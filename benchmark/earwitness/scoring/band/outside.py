"""What of the band track goes through files: the generated sound, and a map over the mel grid for each token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from earwitness.scoring.outside import ExpectedArray, TrackOutside
from earwitness.tracks.band import generate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from earwitness.tracks.band import BandItem


class BandOutside(TrackOutside):
    """Maps of tokens over the mel grid."""

    def expected(self, item: BandItem) -> tuple[ExpectedArray, ...]:
        """Maps [N, M, T]."""
        shape = (len(item.tokens), *item.mel.shape)
        return (ExpectedArray("maps", (shape,), "[N, M, T], not negative: how much each token acted at each place"),)

    def sound(self, item: BandItem, model: Any) -> NDArray[np.float32]:
        """Audio [S] of the item's generation."""
        return np.ascontiguousarray(generate(model, item).audio[0].float().cpu().numpy())


OUTSIDE = BandOutside()
