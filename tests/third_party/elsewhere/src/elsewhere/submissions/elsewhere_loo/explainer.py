"""Words left out in turn."""

from __future__ import annotations

import numpy as np
import torch

from earwitness.tracks.prompt import PromptExplainer, PromptItem, PromptModel, TokenMap, log_likelihood


class LeaveOneOut(PromptExplainer):
    """How far the log-likelihood falls without a word."""

    @torch.no_grad()
    def explain(self, model: PromptModel, item: PromptItem) -> TokenMap:
        """The map [N] of one item."""
        text = model.encode([item.prompt])
        codes = torch.as_tensor(item.codes, device=model.device)[None]
        (words,) = model.words([item.prompt])
        masks = [words >= 0] + [(words >= 0) & (words != word) for word in range(words.max() + 1)]
        values = [
            float(
                log_likelihood(
                    model.logits(codes, text, torch.as_tensor(mask[None], dtype=torch.float32)), codes
                ).mean()
            )
            for mask in masks
        ]
        falls = np.where(words >= 0, values[0] - np.array(values[1:])[words], 0).clip(min=0)
        return TokenMap(weights=falls / max(falls.max(), 1e-30))
