"""Responses: what the model makes of spectrograms with cells removed and of transcripts with tokens removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch

from earwitness.explaining.batches import in_passes
from earwitness.explaining.memory import FEW, peak_bytes, rows_of
from earwitness.scoring.speech.originals import BEAMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from earwitness.tracks.speech import SpeechItem, SpeechModel

R = TypeVar("R")
ROWS, CELLS = 128, 4_000_000
"""Most spectrograms, and most cells, that are handed to the model at once; fewer where a pass over them would not fit
into memory."""


class SpeechRespondent:
    """A model that is asked about perturbed utterances."""

    def __init__(self, model: SpeechModel) -> None:
        self.model = model
        self._row_bytes: dict[tuple[str, int, int], int] = {}

    def transcripts(self, spectrograms: NDArray[np.float32], most: int | None = None) -> list[str]:
        """Transcripts of spectrograms [n, T, M], of at most `most` tokens where that is given."""
        with torch.inference_mode():
            passes = self._passes(spectrograms, lambda rows, _: self.model.transcribe(rows, BEAMS, most))
            return [self.model.text([int(token) for token in tokens]) for found in passes for tokens in found]

    def probabilities(self, item: SpeechItem, spectrograms: NDArray[np.float32]) -> NDArray[np.float64]:
        """Teacher-forced probability [n, O] of each of the item's tokens under spectrograms [n, T, M]."""
        tokens = self._tokens(item)

        def asked(rows: Tensor) -> NDArray[np.float64]:
            return of_tokens(self.model.logits(rows, tokens), tokens)

        with torch.inference_mode():
            one = torch.from_numpy(spectrograms[:1]).to(self.model.device)
            each = self._weighed("probabilities", item, lambda: asked(one))
            return np.concatenate(list(self._passes(spectrograms, lambda rows, _: asked(rows), each)))

    def gradients(
        self, item: SpeechItem, spectrograms: NDArray[np.float32], weights: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """Gradient [n, T, M] at spectrograms [n, T, M] of the tokens' probabilities, added up with weights [n, O]."""
        tokens = self._tokens(item)
        shares = torch.from_numpy(weights.astype(np.float32)).to(self.model.device)

        def asked(rows: Tensor, own: Tensor) -> NDArray[np.float32]:
            rows.requires_grad_()
            p = self.model.logits(rows, tokens).softmax(-1)
            chosen = p.gather(-1, tokens.expand(len(rows), -1)[..., None])[..., 0]
            (gradient,) = torch.autograd.grad((chosen * own).sum(), rows)
            return np.asarray(gradient.cpu().numpy())

        one = torch.from_numpy(spectrograms[:1].copy()).to(self.model.device)
        each = self._weighed("gradients", item, lambda: asked(one, shares[:1]))
        return np.concatenate(list(self._passes(spectrograms, lambda rows, part: asked(rows, shares[part]), each)))

    def prefix_probabilities(self, item: SpeechItem, masks: NDArray[np.float32]) -> NDArray[np.float64]:
        """Teacher-forced probability [n, O] of each of the item's tokens under prefix masks [n, O]."""
        tokens = self._tokens(item)
        features = torch.from_numpy(item.features[None]).to(self.model.device)
        given = torch.from_numpy(masks).to(self.model.device)

        def asked(rows: Tensor) -> NDArray[np.float64]:
            return of_tokens(self.model.logits(features, tokens, rows), tokens)

        with torch.inference_mode():
            few = given[:FEW]
            each = self._weighed("prefixes", item, lambda: asked(few)) // len(few)
            fitting = rows_of(each, ROWS, self.model.device)
            return np.concatenate(list(in_passes(lambda part: asked(given[part]), len(given), fitting)))

    def _tokens(self, item: SpeechItem) -> Tensor:
        return torch.from_numpy(item.tokens[None]).to(self.model.device)

    def _weighed(self, what: str, item: SpeechItem, one_row: Callable[[], object]) -> int:
        """Bytes that a pass over one row takes, weighed once for all passes over so many frames and tokens."""
        key = (what, len(item.features), len(item.tokens))
        if key not in self._row_bytes:
            self._row_bytes[key] = peak_bytes(one_row)
        return self._row_bytes[key]

    def _passes(
        self, spectrograms: NDArray[np.float32], ask: Callable[[Tensor, slice], R], bytes_each: int = 0
    ) -> Iterator[R]:
        """What is answered to the spectrograms handed to the model at once, by the bytes that a row takes."""
        rows = rows_of(bytes_each, max(1, min(ROWS, CELLS // spectrograms[0].size)), self.model.device)

        def asked(part: slice) -> R:
            return ask(torch.from_numpy(spectrograms[part]).to(self.model.device), part)

        return in_passes(asked, len(spectrograms), rows)


def of_tokens(logits: Tensor, tokens: Tensor) -> NDArray[np.float64]:
    """Probability [B, O] of tokens [1, O] under logits [B, O, V]."""
    chosen = logits.double().softmax(-1).gather(-1, tokens.expand(len(logits), -1)[..., None])[..., 0]
    return np.asarray(chosen.cpu().numpy(), dtype=np.float64)
