"""Shapley values of words by sampling orders in which they join the prompt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from earwitness.explaining.permutation_sampling import draw_orders, joined, mean_contributions
from earwitness.explaining.token_maps import Average, averaged, positive_map, words_to_tokens
from earwitness.explaining.word_coalitions import coalition_likelihoods
from earwitness.tracks.prompt import PromptExplainer, PromptItem, PromptModel, Removal, TokenMap

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass
class ShapleySampling(PromptExplainer):
    """What each word adds to each frame's log-likelihood as it joins, averaged over random orders."""

    orders: Annotated[int, Field(ge=1)] = 100
    """Orders drawn; coalitions of the same words share a pass."""
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
        """The maps of several items; the coalitions of all prompts share the passes."""
        words = model.words([item.prompt for item in items])
        orders = [
            draw_orders(int(word.max(initial=-1)) + 1, self.orders, item.explainer_seed)
            for word, item in zip(words, items, strict=True)
        ]
        coalitions = [joined(each) for each in orders]
        flat = [each.reshape(each.shape[0] * each.shape[1], each.shape[2]) for each in coalitions]
        found = coalition_likelihoods(model, items, flat, self.removal, self.batch)
        maps = []
        for item, word, order, each, values in zip(items, words, orders, coalitions, found, strict=True):
            contributions = mean_contributions(order, values.reshape(*each.shape[:2], -1))
            scores = words_to_tokens(contributions, word)
            maps.append(positive_map(np.asarray(averaged(scores, item, self.average))))
        return maps
