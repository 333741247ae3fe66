"""Leave one word out and see what it costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from earwitness.explaining.prompt_likelihoods import masked_likelihoods
from earwitness.explaining.token_maps import Average, averaged, positive_map, words_to_tokens
from earwitness.tracks.prompt import PromptExplainer, PromptItem, PromptModel, Removal, TokenMap

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass
class Occlusion(PromptExplainer):
    """The fall of each frame's teacher-forced log-likelihood when one word is removed, special tokens being out."""

    removal: str = "scale"
    """How a word is removed: a value of `Removal`."""
    average: Average = "asked"
    """Frames that rows are averaged over, for a map [N]: `asked`, `all`, or `none` for a map with all rows."""
    batch: int = 64
    """Sequences a pass."""

    def explain(self, model: PromptModel, item: PromptItem) -> TokenMap:
        """The map [F, N] of one item."""
        return self.explain_batch(model, [item])[0]

    def explain_batch(self, model: PromptModel, items: Sequence[PromptItem]) -> list[TokenMap]:
        """The maps [F, N] of several items; all words of all prompts share the passes."""
        words = model.words([item.prompt for item in items])
        masks = [leave_one_out(word) for word in words]
        likelihoods = masked_likelihoods(model, items, masks, Removal(self.removal), self.batch)
        scores = [falls(values, word) for values, word in zip(likelihoods, words, strict=True)]
        return [positive_map(averaged(score, item, self.average)) for score, item in zip(scores, items, strict=True)]


def leave_one_out(words: np.ndarray) -> np.ndarray:
    """Masks [1 + W, N] of a prompt: nothing removed, then each word in turn; special tokens are always out.

    >>> leave_one_out(np.array([0, 1, 1, -1])).astype(int).tolist()
    [[1, 1, 1, 0], [0, 1, 1, 0], [1, 0, 0, 0]]
    """
    removed = np.arange(-1, words.max() + 1)[:, None]
    kept: np.ndarray = (words >= 0) & ((removed < 0) | (words != removed))
    return kept


def falls(likelihoods: np.ndarray, words: np.ndarray) -> np.ndarray:
    """How far each frame's likelihood falls without each token's word, [F, N]; 0 for special tokens (word -1)."""
    return words_to_tokens(likelihoods[:1] - likelihoods[1:], words)
