"""LIME (arXiv 1602.04938) over the stretches of time in which the model reads each word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from pydantic import Field

from earwitness.explaining.memory import rows_at_once
from earwitness.explaining.token_probabilities import log_probabilities
from earwitness.tracks.speech import SpeechExplainer, SpeechItem, SpeechMap, SpeechModel, to_unit, utterance_mean


@dataclass
class WordLime(SpeechExplainer):
    """A local linear model of each token's log-probability in the presence of word segments and of earlier tokens.

    Segments come from the model's own cross-attention, aligned in time: an explainer knows no other alignment.
    """

    masks: Annotated[int, Field(ge=2)] = 1000
    """Random neighbours of the utterance, itself included."""
    p: float = 0.5
    """Probability that a segment, or an earlier token, is left out."""
    kernel: float = 0.25
    """Width of the exponential kernel over the cosine distance to the whole utterance."""
    ridge: float = 1.0
    """Penalty of the squared coefficients."""
    batch: int = 64
    """Most spectrograms a pass; fewer where they would not fit into memory (`earwitness.explaining.memory`)."""

    def explain(self, model: SpeechModel, item: SpeechItem) -> SpeechMap:
        """The map of one item: all cells of a segment alike."""
        segment = self.segments(model, item)
        count, tokens = int(segment.max()) + 1, len(item.tokens)
        rng = np.random.default_rng(item.explainer_seed)
        present = rng.random((self.masks, count + tokens)) >= self.p
        present[0] = True
        values = self._values(model, item, present[:, :count][:, segment], present[:, count:])
        spectrogram = np.empty((tokens, *item.features.shape), dtype=np.float32)
        prefix = np.zeros((tokens, tokens))
        for k in range(tokens):
            coefficients = self.fit(present[:, : count + k], values[:, k])
            spectrogram[k] = coefficients[segment, None]
            prefix[k, :k] = coefficients[count:]
        return SpeechMap(spectrogram=to_unit(spectrogram), prefix=np.tril(to_unit(prefix), -1))

    @torch.no_grad()
    def segments(self, model: SpeechModel, item: SpeechItem) -> np.ndarray:
        """The word [T] that each frame belongs to."""
        features = torch.as_tensor(item.features, device=model.device)[None]
        tokens = torch.as_tensor(item.tokens, device=model.device)[None]
        attention = model.attention(features, tokens).cross[0].mean((0, 1)).double().cpu().numpy()
        words = np.unique(item.words)
        return align(np.stack([attention[item.words == word].mean(0) for word in words]))

    def fit(self, present: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Coefficients [X] of the weighted ridge regression of values [R] on presence [R, X], with an intercept."""
        distance = 1 - np.sqrt(present.mean(1))
        weights = np.exp(-np.square(distance / self.kernel) / 2)[:, None]
        total = weights.sum()
        inputs = present - (weights * present).sum(0) / total
        targets = values - (weights[:, 0] * values).sum() / total
        gram = inputs.T @ (weights * inputs) + self.ridge * np.eye(inputs.shape[1])
        solved: np.ndarray = np.linalg.solve(gram, inputs.T @ (weights[:, 0] * targets))
        return solved

    @torch.no_grad()
    def _values(self, model: SpeechModel, item: SpeechItem, frames: np.ndarray, context: np.ndarray) -> np.ndarray:
        """Log-probabilities [R, O] (nats) with some frames [R, T] and earlier tokens [R, O] left."""
        features = torch.as_tensor(item.features, device=model.device)
        mean = torch.as_tensor(utterance_mean(item.features), device=model.device)
        tokens = torch.as_tensor(item.tokens, device=model.device)[None]

        def asked(rows: slice) -> np.ndarray:
            kept = torch.as_tensor(frames[rows], device=model.device)
            mask = torch.as_tensor(context[rows], device=model.device).to(features.dtype)
            logits = model.logits(torch.where(kept[..., None], features, mean), tokens, mask)
            values: np.ndarray = log_probabilities(logits, tokens).double().cpu().numpy()
            return values

        fitting = rows_at_once(lambda: asked(slice(1)), self.batch, model.device)
        return np.concatenate([asked(slice(start, start + fitting)) for start in range(0, self.masks, fitting)])


def align(attention: np.ndarray) -> np.ndarray:
    """The word [T] of each frame: words in their order, each with a frame, the most attention [W, T] on the way.

    "Most" is the largest product over frames. Where words outnumber frames, frames are dealt out evenly.

    >>> align(np.array([[0.6, 0.3, 0.1], [0.1, 0.2, 0.7]])).tolist()
    [0, 0, 1]
    """
    words, frames = attention.shape
    if words > frames:
        return np.asarray(np.arange(frames) * words // frames)
    gains = np.log(np.maximum(attention, np.finfo(np.float64).tiny))
    best = np.full(words, -np.inf)
    best[0] = gains[0, 0]
    moved = np.zeros((frames, words), dtype=bool)
    for frame in range(1, frames):
        before = np.concatenate([[-np.inf], best[:-1]])
        moved[frame] = before > best
        best = np.maximum(before, best) + gains[:, frame]
    path = np.full(frames, words - 1)
    for frame in range(frames - 1, 0, -1):
        path[frame - 1] = path[frame] - moved[frame, path[frame]]
    return path
