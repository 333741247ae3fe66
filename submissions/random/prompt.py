"""Weights drawn at random: the floor of every metric."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from earwitness.tracks.prompt import PromptExplainer, PromptItem, PromptModel, TokenMap


@dataclass
class Random(PromptExplainer):
    """Independent uniform weights, fixed by the item's explainer seed."""

    framewise: bool = False
    """Whether every frame draws its own weights; else a token keeps its weight throughout, and the map is [N]."""

    def explain(self, model: PromptModel, item: PromptItem) -> TokenMap:
        """Weights [N] or [F, N], each uniform on [0, 1)."""
        shape = (item.codes.shape[1], len(item.tokens)) if self.framewise else (len(item.tokens),)
        return TokenMap(weights=np.random.default_rng(item.explainer_seed).random(shape))
