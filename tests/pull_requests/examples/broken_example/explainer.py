"""An honest mistake: one weight is missing."""

import numpy as np

from earwitness.tracks.prompt import PromptExplainer, PromptItem, PromptModel, TokenMap


class Forgetful(PromptExplainer):
    """Words of many letters weigh more."""

    def explain(self, model: PromptModel, item: PromptItem) -> TokenMap:
        """The map [N - 1], where [N] is asked for."""
        return TokenMap(np.array([min(len(token), 10) / 10 for token in item.tokens[1:]]))
