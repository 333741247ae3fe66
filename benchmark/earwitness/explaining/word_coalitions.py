"""What a prompt's sound is worth to the model with some of its words: likelihoods of coalitions, each asked once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from earwitness.explaining.prompt_likelihoods import masked_likelihoods

if TYPE_CHECKING:
    from collections.abc import Sequence

    from earwitness.tracks.prompt import PromptItem, PromptModel, Removal


def coalition_likelihoods(
    model: PromptModel, items: Sequence[PromptItem], coalitions: Sequence[np.ndarray], removal: Removal, batch: int
) -> list[np.ndarray]:
    """Log-likelihoods [R, F] (nats) of each item's sound with the words of its coalitions [R, W] alone.

    A coalition that comes again is not asked again. Special tokens are out; `batch` counts sequences a pass.
    """
    words = model.words([item.prompt for item in items])
    once = [np.unique(members, axis=0, return_inverse=True) for members in coalitions]
    masks = [
        np.concatenate([members, np.zeros((len(members), 1), dtype=bool)], axis=1)[:, word]
        for (members, _), word in zip(once, words, strict=True)
    ]
    values = masked_likelihoods(model, items, masks, removal, batch)
    return [value[places.ravel()] for value, (_, places) in zip(values, once, strict=True)]
