"""Leave a word out and see what the sound loses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from earwitness.tracks.prompt import Encoded, PromptExplainer, PromptItem, PromptModel, TokenMap, log_likelihood


@dataclass
class LeaveOneOut(PromptExplainer):
    """The fall of the sound's log-likelihood when a word is silenced."""

    batch: int = 16
    """Sequences a pass."""

    @torch.no_grad()
    def explain(self, model: PromptModel, item: PromptItem) -> TokenMap:
        """The map [N] of one item."""
        words = model.words([item.prompt])[0]
        count = int(words.max()) + 1
        masks = np.stack([words >= 0, *((words >= 0) & (words != word) for word in range(count))])
        scores = self._log_likelihoods(model, item, masks)
        falls = np.append(scores[0] - scores[1:], 0.0)
        return to_map(falls[words])

    def _log_likelihoods(self, model: PromptModel, item: PromptItem, masks: np.ndarray) -> np.ndarray:
        """Log-likelihood [R] (nats) of the sound under masks [R, N]."""
        text, codes = model.encode([item.prompt]), torch.as_tensor(item.codes)[None]
        found = []
        for rows in torch.split(torch.as_tensor(masks, dtype=torch.float32), self.batch):
            repeated = Encoded(text.states.expand(len(rows), -1, -1), text.mask.expand(len(rows), -1))
            sounds = codes.expand(len(rows), -1, -1)
            found.append(log_likelihood(model.logits(sounds, repeated, rows), sounds).sum(1))
        return torch.cat(found).double().numpy()


def to_map(falls: np.ndarray) -> TokenMap:
    """Falls [N] above zero over the largest; the falls themselves break ties."""
    positive = falls.clip(min=0)
    return TokenMap(weights=positive / max(float(positive.max()), 1e-12), order=falls)
