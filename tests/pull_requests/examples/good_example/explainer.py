"""Cross-attention of the decoder's last layer, as a map of the prompt's own tokens."""

import numpy as np
import torch

from earwitness.tracks.prompt import PromptExplainer, PromptItem, PromptModel, TokenMap


class LastLayer(PromptExplainer):
    """Heads of the last layer are averaged; frames keep a row each."""

    @torch.no_grad()
    def explain(self, model: PromptModel, item: PromptItem) -> TokenMap:
        """The map [F, N] of one item."""
        codes = torch.as_tensor(item.codes[None], device=model.device)
        attention = model.cross_attention(codes, model.encode([item.prompt]))[0, -1].mean(0)
        weights = attention[:, : len(item.tokens)].double().cpu().numpy() * ~item.special
        return TokenMap(weights / max(float(weights.max()), np.finfo(np.float64).tiny))
