"""Shapley values of words by sampled orders (Strumbelj and Kononenko, JMLR 11, 2010; Castro et al. 2009)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from earwitness.explaining.token_maps import positive_map, words_to_tokens
from earwitness.explaining.word_sets import asked_likelihoods
from earwitness.tracks.prompt import PromptExplainer, PromptItem, PromptModel, Removal, TokenMap


@dataclass
class ShapleySampling(PromptExplainer):
    """What a word adds to the asked frames' log-likelihood when it joins those before it, averaged over orders."""

    orders: Annotated[int, Field(ge=1)] = 25
    """Orders of the words, each drawn evenly."""
    removal: str = "scale"
    """How a word is removed: a value of `Removal`."""
    batch: int = 64
    """Sequences a pass."""

    def explain(self, model: PromptModel, item: PromptItem) -> TokenMap:
        """The map [N] of one item."""
        (words,) = model.words([item.prompt])
        count = int(words.max()) + 1
        rng = np.random.default_rng(item.explainer_seed)
        drawn = np.stack([rng.permutation(count) for _ in range(self.orders)])
        sets = joining(drawn).reshape(self.orders * (count + 1), count)
        values = asked_likelihoods(model, item, sets, Removal(self.removal), self.batch)
        gains = mean_gains(drawn, values.reshape(self.orders, count + 1))
        return positive_map(words_to_tokens(gains[:, None], words)[0])


def joining(orders: np.ndarray) -> np.ndarray:
    """Sets [P, W + 1, W] of words that have joined in orders [P, W], from none to all.

    >>> joining(np.array([[1, 0]])).astype(int).tolist()
    [[[0, 0], [0, 1], [1, 1]]]
    """
    place = np.argsort(orders, axis=1)
    joined: np.ndarray = place[:, None, :] < np.arange(orders.shape[1] + 1)[None, :, None]
    return joined


def mean_gains(orders: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Mean gain [W] of a word's joining, of values [P, W + 1] of the sets that orders [P, W] come to.

    >>> mean_gains(np.array([[1, 0]]), np.array([[0.0, 2.0, 5.0]])).tolist()
    [3.0, 2.0]
    """
    gains = np.take_along_axis(np.diff(values, axis=1), np.argsort(orders, axis=1), axis=1)
    return np.asarray(gains.mean(axis=0))
