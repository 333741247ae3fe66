"""Gradient times input on the spectrogram and on the earlier tokens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from earwitness.explaining.token_probabilities import log_probabilities
from earwitness.tracks.speech import SpeechExplainer, SpeechItem, SpeechMap, SpeechModel, to_unit, utterance_mean


@dataclass
class GradientInput(SpeechExplainer):
    """Slope of each token's log-probability along each cell's distance from its mean, and along each earlier token."""

    absolute: bool = False
    """Whether a cell that lowers the probability counts as much as one that raises it."""

    def explain(self, model: SpeechModel, item: SpeechItem) -> SpeechMap:
        """The map of one item."""
        spectrogram, prefix = self.slopes(model, item)
        if self.absolute:
            spectrogram, prefix = np.abs(spectrogram), np.abs(prefix)
        return SpeechMap(spectrogram=to_unit(spectrogram), prefix=np.tril(to_unit(prefix), -1))

    def slopes(self, model: SpeechModel, item: SpeechItem) -> tuple[np.ndarray, np.ndarray]:
        """Signed slopes (nats): [O, T, M] to the mean of each bin, [O, O] to the absence of each earlier token."""
        features = torch.as_tensor(item.features, device=model.device)[None].clone().requires_grad_()
        tokens = torch.as_tensor(item.tokens, device=model.device)[None]
        mask = torch.ones(tokens.shape, device=model.device, requires_grad=True)
        scores = log_probabilities(model.logits(features, tokens, mask), tokens)[0]
        distance = item.features - utterance_mean(item.features)
        spectrogram = np.empty((len(scores), *distance.shape), dtype=np.float32)
        prefix = np.zeros((len(scores), len(scores)), dtype=np.float32)
        for k, score in enumerate(scores):
            cells, context = torch.autograd.grad(score, (features, mask), retain_graph=True, materialize_grads=True)
            spectrogram[k] = cells[0].cpu().numpy() * distance
            prefix[k, :k] = context[0, :k].cpu().numpy()
        return spectrogram, prefix
