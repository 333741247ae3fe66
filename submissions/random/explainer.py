"""Weights drawn at random: the floor of every metric."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from earwitness.tracks.prompt import PromptExplainer, PromptItem, PromptModel, TokenMap


@dataclass
class Random(PromptExplainer):
    """Independent uniform weights for every frame and token, fixed by the item's explainer seed."""

    def explain(self, model: PromptModel, item: PromptItem) -> TokenMap:
        """Weights [F, N], each uniform on [0, 1)."""
        shape = (item.codes.shape[1], len(item.tokens))
        return TokenMap(weights=np.random.default_rng(item.explainer_seed).random(shape))
