"""LIME over the words of a prompt (arXiv 1602.04938)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from earwitness.explaining.token_maps import positive_map, words_to_tokens
from earwitness.explaining.word_sets import asked_likelihoods
from earwitness.tracks.prompt import PromptExplainer, PromptItem, PromptModel, Removal, TokenMap


@dataclass
class Lime(PromptExplainer):
    """A linear model of the asked frames' log-likelihood in the presence of words, near the whole prompt.

    Neighbours lack a number of words that is drawn evenly from one to all, and which ones evenly, too; a neighbour
    counts by a kernel over its cosine distance to the whole prompt. Sets that are drawn twice are asked of the model
    once.
    """

    samples: Annotated[int, Field(ge=2)] = 5000
    """Neighbours, the whole prompt among them."""
    kernel: Annotated[float, Field(gt=0)] = 25.0
    """Width of the kernel, in hundredths of the cosine distance."""
    ridge: Annotated[float, Field(ge=0)] = 1.0
    """Penalty of the squared coefficients."""
    removal: str = "scale"
    """How a word is removed: a value of `Removal`."""
    batch: int = 64
    """Sequences a pass."""

    def explain(self, model: PromptModel, item: PromptItem) -> TokenMap:
        """The map [N] of one item."""
        (words,) = model.words([item.prompt])
        present = neighbours(int(words.max()) + 1, self.samples, item.explainer_seed)
        values = asked_likelihoods(model, item, present, Removal(self.removal), self.batch)
        coefficients = self.fit(present, values)
        return positive_map(words_to_tokens(coefficients[:, None], words)[0])

    def fit(self, present: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Coefficients [W] of the weighted ridge regression of values [S] on presence [S, W], with an intercept."""
        weights = proximity(present, self.kernel)
        total = weights.sum()
        inputs = present - weights @ present / total
        targets = values - weights @ values / total
        gram = inputs.T @ (weights[:, None] * inputs) + self.ridge * np.eye(inputs.shape[1])
        solved: np.ndarray = np.linalg.solve(gram, inputs.T @ (weights * targets))
        return solved


def neighbours(words: int, samples: int, seed: int) -> np.ndarray:
    """Which of W words [S, W] are in each neighbour of a prompt, which itself comes first.

    >>> found = neighbours(3, 100, 0)
    >>> bool(found[0].all()), bool(found[1:].all(1).any())
    (True, False)
    """
    rng = np.random.default_rng(seed)
    present = np.ones((samples, words), dtype=bool)
    if words:
        for row in present[1:]:
            row[rng.choice(words, int(rng.integers(1, words + 1)), replace=False)] = False
    return present


def proximity(present: np.ndarray, kernel: float) -> np.ndarray:
    """Weight [S] of neighbours [S, W]: the root of a Gaussian of their cosine distance to the whole prompt.

    The distance is 1 minus the root of the share of words that are in; it is 1 where none is.

    >>> proximity(np.array([[True, True], [False, False]]), 100.0).round(4).tolist()
    [1.0, 0.6065]
    """
    distance = 100 * (1 - np.sqrt(present.mean(axis=1))) if present.shape[1] else np.zeros(len(present))
    weights: np.ndarray = np.sqrt(np.exp(-np.square(distance / kernel)))
    return weights
