"""LIME (arXiv 1602.04938) over the words of a prompt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field
from sklearn.linear_model import Ridge

from earwitness.explaining.token_maps import Average, averaged, positive_map, words_to_tokens
from earwitness.explaining.word_coalitions import coalition_likelihoods
from earwitness.tracks.prompt import PromptExplainer, PromptItem, PromptModel, Removal, TokenMap

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass
class Lime(PromptExplainer):
    """A local linear model of each frame's log-likelihood in the presence of words."""

    masks: Annotated[int, Field(ge=2)] = 5000
    """Neighbours of the prompt, itself included; those of the same words share a pass."""
    kernel: Annotated[float, Field(gt=0)] = 0.25
    """Width of the exponential kernel over the cosine distance to the whole prompt."""
    ridge: Annotated[float, Field(ge=0)] = 1.0
    """Penalty of the squared coefficients."""
    removal: Removal = Removal.SCALE
    """How a word is removed."""
    average: Average = "asked"
    """Frames that rows are averaged over, for a map [N]: `asked`, `all`, or `none` for a map with all rows."""
    batch: Annotated[int, Field(ge=1)] = 64
    """Sequences a pass."""

    def explain(self, model: PromptModel, item: PromptItem) -> TokenMap:
        """The map of one item."""
        return self.explain_batch(model, [item])[0]

    def explain_batch(self, model: PromptModel, items: Sequence[PromptItem]) -> list[TokenMap]:
        """The maps of several items; the neighbours of all prompts share the passes."""
        words = model.words([item.prompt for item in items])
        drawn = [
            neighbours(int(word.max(initial=-1)) + 1, self.masks, item.explainer_seed)
            for word, item in zip(words, items, strict=True)
        ]
        values = coalition_likelihoods(model, items, drawn, self.removal, self.batch)
        fits = [self.fit(present, value) for present, value in zip(drawn, values, strict=True)]
        scores = [words_to_tokens(fit, word) for fit, word in zip(fits, words, strict=True)]
        return [positive_map(averaged(score, item, self.average)) for score, item in zip(scores, items, strict=True)]

    def fit(self, present: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Coefficients [W, F] of the weighted ridge regression, with intercept, of values [R, F] on presence [R, W]."""
        if not present.shape[1]:
            return np.zeros((0, values.shape[1]))
        distance = 1 - np.sqrt(present.mean(axis=1))
        weights = np.exp(-np.square(distance / self.kernel) / 2)
        coefficients = Ridge(alpha=self.ridge).fit(present, values, sample_weight=weights).coef_
        return np.asarray(coefficients).reshape(values.shape[1], -1).T


def neighbours(words: int, count: int, seed: int) -> np.ndarray:
    """Presence [R, W] of words: all of them, then with as many left out as an even draw from 1 to W says."""
    present = np.ones((count, words), dtype=bool)
    rng = np.random.default_rng(seed)
    if words:
        rank = rng.permuted(np.tile(np.arange(words), (count - 1, 1)), axis=1)
        present[1:] = rank >= rng.integers(1, words + 1, (count - 1, 1))
    return present
