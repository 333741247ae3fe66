"""Shapley values of words by sampled orders (Strumbelj and Kononenko, JMLR 11, 2010; Castro et al. 2009)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from earwitness.explaining.permutation_sampling import draw_orders, joined, mean_contributions
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
        drawn = draw_orders(count, self.orders, item.explainer_seed)
        sets = joined(drawn).reshape(self.orders * (count + 1), count)
        values = asked_likelihoods(model, item, sets, Removal(self.removal), self.batch)
        gains = mean_contributions(drawn, values.reshape(self.orders, count + 1))
        return positive_map(words_to_tokens(gains[:, None], words)[0])
