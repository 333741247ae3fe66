"""Turn the attention to one token down and see what it costs (AtMan, arXiv 2301.08110)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from earwitness.explaining.prompt_likelihoods import masked_likelihoods
from earwitness.explaining.token_maps import Average, averaged, positive_map
from earwitness.tracks.prompt import PromptExplainer, PromptItem, PromptModel, Removal, TokenMap

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass
class AtMan(PromptExplainer):
    """The fall of each frame's teacher-forced log-likelihood when one token's attention is suppressed."""

    left: float = 0.1
    """Share of the token's attention that is left, 1 minus the paper's suppression factor."""
    removal: str = "renormalise"
    """What becomes of the rest: a value of `Removal`. `renormalise` adds log(left) to the score before the softmax."""
    average: Average = "asked"
    """Frames that rows are averaged over, for a map [N]: `asked`, `all`, or `none` for a map with all rows."""
    batch: int = 64
    """Sequences a pass."""

    def explain(self, model: PromptModel, item: PromptItem) -> TokenMap:
        """The map [F, N] of one item."""
        return self.explain_batch(model, [item])[0]

    def explain_batch(self, model: PromptModel, items: Sequence[PromptItem]) -> list[TokenMap]:
        """The maps [F, N] of several items; all tokens of all prompts share the passes."""
        masks = [suppressed(item.special, self.left) for item in items]
        likelihoods = masked_likelihoods(model, items, masks, Removal(self.removal), self.batch)
        scores = [falls(values, item) for values, item in zip(likelihoods, items, strict=True)]
        return [positive_map(averaged(score, item, self.average)) for score, item in zip(scores, items, strict=True)]


def suppressed(special: np.ndarray, left: float) -> np.ndarray:
    """Masks [1 + n, N]: nothing suppressed, then each of the text's n tokens in turn; special tokens are always out.

    >>> suppressed(np.array([False, False, True]), 0.25).tolist()
    [[1.0, 1.0, 0.0], [0.25, 1.0, 0.0], [1.0, 0.25, 0.0]]
    """
    masks = np.tile(np.where(special, 0.0, 1.0), (1 + int((~special).sum()), 1))
    text = np.flatnonzero(~special)
    masks[1 + np.arange(len(text)), text] = left
    return masks


def falls(likelihoods: np.ndarray, item: PromptItem) -> np.ndarray:
    """How far each frame's likelihood falls with each token suppressed, [F, N]; 0 for special tokens."""
    scores = np.zeros((likelihoods.shape[1], len(item.tokens)))
    scores[:, ~item.special] = (likelihoods[:1] - likelihoods[1:]).T
    return scores
