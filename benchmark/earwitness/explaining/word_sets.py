"""What a prompt's sound is worth to the model when only some of its words are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from earwitness.explaining.prompt_likelihoods import masked_likelihoods

if TYPE_CHECKING:
    from earwitness.tracks.prompt import PromptItem, PromptModel, Removal


def asked_likelihoods(
    model: PromptModel, item: PromptItem, present: np.ndarray, removal: Removal, batch: int
) -> np.ndarray:
    """Log-likelihoods [S] float64 (nats) of the frames that an item asks for, by the words [S, W] bool that are there.

    Special tokens are out. A set that comes twice is asked of the model once; `batch` counts sequences a pass.
    """
    (words,) = model.words([item.prompt])
    sets, which = np.unique(present, axis=0, return_inverse=True)
    masks = np.concatenate([sets, np.zeros((len(sets), 1), dtype=bool)], axis=1)[:, words]
    (values,) = masked_likelihoods(model, [item], [masks], removal, batch)
    found: np.ndarray = values[:, item.asked].sum(1)[which.reshape(-1)]
    return found
