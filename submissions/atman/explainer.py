"""Turn the attention to one token down and see what it costs (AtMan, arXiv 2301.08110)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, cast

import numpy as np
from pydantic import Field

from earwitness.explaining.attention_suppression import SuppressedModel
from earwitness.explaining.prompt_likelihoods import masked_likelihoods
from earwitness.explaining.token_maps import Average, averaged, positive_map
from earwitness.tracks.prompt import PromptExplainer, PromptItem, PromptModel, Removal, TokenMap

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass
class AtMan(PromptExplainer):
    """The fall of each frame's teacher-forced log-likelihood when one token's attention is suppressed.

    White box, for decoders in the layout of transformers' MusicGen and of audiocraft.
    """

    left: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """What the token's shifted attention score is multiplied by, 1 minus the paper's suppression factor."""
    average: Average = "asked"
    """Frames that rows are averaged over, for a map [N]: `asked`, `all`, or `none` for a map with all rows."""
    batch: int = 64
    """Sequences a pass."""

    def explain(self, model: PromptModel, item: PromptItem) -> TokenMap:
        """The map [F, N] of one item."""
        return self.explain_batch(model, [item])[0]

    def explain_batch(self, model: PromptModel, items: Sequence[PromptItem]) -> list[TokenMap]:
        """The maps [F, N] of several items; all tokens of all prompts share the passes."""
        factors = [one_by_one(item.special, self.left) for item in items]
        view = cast("PromptModel", SuppressedModel(model))
        likelihoods = masked_likelihoods(view, items, factors, Removal.SCALE, self.batch)
        scores = [falls(values, item) for values, item in zip(likelihoods, items, strict=True)]
        return [positive_map(averaged(score, item, self.average)) for score, item in zip(scores, items, strict=True)]


def one_by_one(special: np.ndarray, left: float) -> np.ndarray:
    """Factors [1 + n, N]: nothing suppressed, then each of the text's n tokens in turn.

    >>> one_by_one(np.array([False, False, True]), 0.25).tolist()
    [[1.0, 1.0, 1.0], [0.25, 1.0, 1.0], [1.0, 0.25, 1.0]]
    """
    text = np.flatnonzero(~special)
    factors = np.ones((1 + len(text), len(special)))
    factors[1 + np.arange(len(text)), text] = left
    return factors


def falls(likelihoods: np.ndarray, item: PromptItem) -> np.ndarray:
    """How far each frame's likelihood falls with each token suppressed, [F, N]; 0 for special tokens."""
    scores = np.zeros((likelihoods.shape[1], len(item.tokens)))
    scores[:, ~item.special] = (likelihoods[:1] - likelihoods[1:]).T
    return scores
