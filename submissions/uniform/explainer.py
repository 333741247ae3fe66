"""The same weight everywhere: a control that says nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from earwitness.tracks.prompt import PromptExplainer, PromptItem, PromptModel, TokenMap


@dataclass
class Uniform(PromptExplainer):
    """One constant weight for every token; whoever takes its top tokens breaks the ties."""

    weight: float = 0.5
    """In [0, 1]."""

    def explain(self, model: PromptModel, item: PromptItem) -> TokenMap:
        """Weights [N], all equal."""
        return TokenMap(weights=np.full(len(item.tokens), self.weight))
