"""Responses: what the model makes of spectrograms with cells removed and of transcripts with tokens removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from earwitness.scoring.speech.originals import BEAMS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from earwitness.tracks.speech import SpeechItem, SpeechModel

ROWS, CELLS = 128, 4_000_000
"""Most spectrograms, and most cells, that are handed to the model at once."""


class SpeechRespondent:
    """A model that is asked about perturbed utterances."""

    def __init__(self, model: SpeechModel) -> None:
        self.model = model

    def transcripts(self, spectrograms: NDArray[np.float32]) -> list[str]:
        """Transcripts of spectrograms [n, T, M]."""
        with torch.inference_mode():
            return [
                self.model.text([int(token) for token in tokens])
                for _, chunk in self._chunks(spectrograms)
                for tokens in self.model.transcribe(chunk, BEAMS)
            ]

    def probabilities(self, item: SpeechItem, spectrograms: NDArray[np.float32]) -> NDArray[np.float64]:
        """Teacher-forced probability [n, O] of each of the item's tokens under spectrograms [n, T, M]."""
        tokens = self._tokens(item)
        with torch.inference_mode():
            found = [of_tokens(self.model.logits(chunk, tokens), tokens) for _, chunk in self._chunks(spectrograms)]
        return np.concatenate(found)

    def gradients(
        self, item: SpeechItem, spectrograms: NDArray[np.float32], weights: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """Gradient [n, T, M] at spectrograms [n, T, M] of the tokens' probabilities, added up with weights [n, O]."""
        tokens, found = self._tokens(item), []
        shares = torch.from_numpy(weights.astype(np.float32)).to(self.model.device)
        for start, chunk in self._chunks(spectrograms):
            chunk.requires_grad_()
            p = self.model.logits(chunk, tokens).softmax(-1)
            chosen = p.gather(-1, tokens.expand(len(chunk), -1)[..., None])[..., 0]
            (gradient,) = torch.autograd.grad((chosen * shares[start : start + len(chunk)]).sum(), chunk)
            found.append(gradient.cpu().numpy())
        return np.concatenate(found)

    def prefix_probabilities(self, item: SpeechItem, masks: NDArray[np.float32]) -> NDArray[np.float64]:
        """Teacher-forced probability [n, O] of each of the item's tokens under prefix masks [n, O]."""
        tokens = self._tokens(item)
        features = torch.from_numpy(item.features[None]).to(self.model.device)
        with torch.inference_mode():
            found = [
                of_tokens(self.model.logits(features, tokens, chunk.to(self.model.device)), tokens)
                for chunk in torch.split(torch.from_numpy(masks), ROWS)
            ]
        return np.concatenate(found)

    def _tokens(self, item: SpeechItem) -> Tensor:
        return torch.from_numpy(item.tokens[None]).to(self.model.device)

    def _chunks(self, spectrograms: NDArray[np.float32]) -> Iterator[tuple[int, Tensor]]:
        """Chunks that are handed to the model at once, and where each starts."""
        rows = max(1, min(ROWS, CELLS // spectrograms[0].size))
        for start in range(0, len(spectrograms), rows):
            yield start, torch.from_numpy(spectrograms[start : start + rows]).to(self.model.device)


def of_tokens(logits: Tensor, tokens: Tensor) -> NDArray[np.float64]:
    """Probability [B, O] of tokens [1, O] under logits [B, O, V]."""
    chosen = logits.double().softmax(-1).gather(-1, tokens.expand(len(logits), -1)[..., None])[..., 0]
    return np.asarray(chosen.cpu().numpy(), dtype=np.float64)
