"""Token maps that an audit of metrics tries: places are the prompt's own tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from earwitness.authoring.forms import HALF, ONE_HOT, ONES, Places
from earwitness.tracks.prompt import TokenMap

if TYPE_CHECKING:
    from earwitness.tracks.prompt import PromptItem, PromptModel

MODEL_TRUTH = "shapley_spearman"
"""Metric that compares with what intervention on the model shows."""


def mix(model: PromptModel, item: PromptItem, kept: TokenMap, noise: TokenMap, taken: Places) -> TokenMap:
    """The map with the words that `taken` names as they are in `noise`, in every frame."""
    owner = model.words([item.prompt])[0]
    words = np.append(taken.of(int(owner.max()) + 1), False)
    (weights, order), (other, other_order) = (each.framewise(item.codes.shape[1]) for each in (kept, noise))
    chosen = words[owner]
    return TokenMap(np.where(chosen, other, weights), np.where(chosen, other_order, order))


def shuffled(model: PromptModel, item: PromptItem, kept: TokenMap, rng: np.random.Generator) -> TokenMap:
    """The map with the weights of its own tokens at other tokens, the same in every frame."""
    weights, order = kept.framewise(item.codes.shape[1])
    own = np.flatnonzero(~item.special)
    places = np.arange(weights.shape[1])
    places[own] = rng.permutation(own)
    return TokenMap(weights[:, places], order[:, places])


def blind(model: PromptModel, item: PromptItem, rng: np.random.Generator) -> dict[str, TokenMap]:
    """Maps that know nothing, the same in every frame."""
    count = len(item.tokens)
    one = np.zeros(count)
    one[rng.choice(np.flatnonzero(~item.special))] = 1
    return {HALF: TokenMap(np.full(count, 0.5)), ONES: TokenMap(np.ones(count)), ONE_HOT: TokenMap(one)}
