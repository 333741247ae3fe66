"""Leave one word out and see what it costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from earwitness.tracks.prompt import (
    Encoded,
    PromptExplainer,
    PromptItem,
    PromptModel,
    Removal,
    TokenMap,
    log_likelihood,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass
class Occlusion(PromptExplainer):
    """The fall of each frame's teacher-forced log-likelihood when one word is removed, special tokens being out."""

    removal: str = "scale"
    """How a word is removed: a value of `Removal`."""
    framewise: bool = False
    """Whether every frame keeps a row of its own; else the rows are averaged, and the map is [N]."""
    batch: int = 64
    """Sequences a pass."""

    def explain(self, model: PromptModel, item: PromptItem) -> TokenMap:
        """The map [F, N] of one item."""
        return self.explain_batch(model, [item])[0]

    def explain_batch(self, model: PromptModel, items: Sequence[PromptItem]) -> list[TokenMap]:
        """The maps [F, N] of several items; all words of all prompts share the passes."""
        words = model.words([item.prompt for item in items])
        masks = [leave_one_out(word) for word in words]
        likelihoods = self._likelihoods(model, items, masks)
        scores = [falls(values, word) for values, word in zip(likelihoods, words, strict=True)]
        return [_to_map(score if self.framewise else score.mean(axis=0)) for score in scores]

    @torch.no_grad()
    def _likelihoods(
        self, model: PromptModel, items: Sequence[PromptItem], masks: Sequence[np.ndarray]
    ) -> list[np.ndarray]:
        """Log-likelihoods [R, F] (nats) of each item's sound under its R masks [R, N]."""
        text = model.encode([item.prompt for item in items])
        codes = torch.as_tensor(np.stack([item.codes for item in items]), device=model.device)
        padded = np.zeros((sum(map(len, masks)), text.states.shape[1]), dtype=np.float32)
        owners = np.repeat(np.arange(len(items)), [len(mask) for mask in masks])
        for row, mask in zip(padded, (mask for rows in masks for mask in rows), strict=True):
            row[: len(mask)] = mask
        results = []
        for start in range(0, len(padded), self.batch):
            owner = torch.as_tensor(owners[start : start + self.batch], device=model.device)
            mask = torch.as_tensor(padded[start : start + self.batch], device=model.device)
            rows = Encoded(text.states[owner], text.mask[owner])
            logits = model.logits(codes[owner], rows, mask, Removal(self.removal))
            results.append(log_likelihood(logits, codes[owner]).double().cpu().numpy())
        return np.split(np.concatenate(results), np.cumsum([len(mask) for mask in masks])[:-1])


def leave_one_out(words: np.ndarray) -> np.ndarray:
    """Masks [1 + W, N] of a prompt: nothing removed, then each word in turn; special tokens are always out.

    >>> leave_one_out(np.array([0, 1, 1, -1])).astype(int).tolist()
    [[1, 1, 1, 0], [0, 1, 1, 0], [1, 0, 0, 0]]
    """
    removed = np.arange(-1, words.max() + 1)[:, None]
    kept: np.ndarray = (words >= 0) & ((removed < 0) | (words != removed))
    return kept


def falls(likelihoods: np.ndarray, words: np.ndarray) -> np.ndarray:
    """How far each frame's likelihood falls without each token's word, [F, N]; 0 for special tokens (word -1)."""
    by_word = np.concatenate([likelihoods[:1] - likelihoods[1:], np.zeros_like(likelihoods[:1])])
    at_tokens: np.ndarray = by_word[words].T
    return at_tokens


def _to_map(scores: np.ndarray) -> TokenMap:
    """The positive part over its largest; the signed scores break ties."""
    positive = scores.clip(min=0)
    return TokenMap(weights=positive / max(float(positive.max()), np.finfo(np.float64).tiny), order=scores)
