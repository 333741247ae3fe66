"""What of the prompt track goes through files: the generated sound, and a weight for each token in each frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from earwitness.scoring.outside import ExpectedArray, TrackOutside

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from earwitness.tracks.prompt import PromptItem


class PromptOutside(TrackOutside):
    """Token maps."""

    def expected(self, item: PromptItem) -> tuple[ExpectedArray, ...]:
        """Weights [F, N] or [N], and an order of equal ones."""
        shapes = ((item.codes.shape[1], len(item.tokens)), (len(item.tokens),))
        return (
            ExpectedArray("weights", shapes, "[F, N] or [N] in [0, 1]: how much each token mattered to each frame"),
            ExpectedArray("order", shapes, "the shape of weights, any numbers: breaks ties of weights", optional=True),
        )

    def sound(self, item: PromptItem, model: Any) -> NDArray[np.float32]:
        """Audio [S] of the item's codes."""
        with torch.inference_mode():
            codes = torch.as_tensor(item.codes, device=model.device)[None]
            return np.ascontiguousarray(model.audio(codes)[0].float().cpu().numpy())


OUTSIDE = PromptOutside()
