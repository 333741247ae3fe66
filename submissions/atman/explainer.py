"""Turn the attention to one token down and see what it costs (AtMan, arXiv 2301.08110)."""

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
class AtMan(PromptExplainer):
    """The fall of each frame's teacher-forced log-likelihood when one token's attention is suppressed."""

    left: float = 0.1
    """Share of the token's attention that is left, 1 minus the paper's suppression factor."""
    removal: str = "renormalise"
    """What becomes of the rest: a value of `Removal`. `renormalise` adds log(left) to the score before the softmax."""
    framewise: bool = False
    """Whether every frame keeps a row of its own; else the rows are averaged, and the map is [N]."""
    batch: int = 64
    """Sequences a pass."""

    def explain(self, model: PromptModel, item: PromptItem) -> TokenMap:
        """The map [F, N] of one item."""
        return self.explain_batch(model, [item])[0]

    def explain_batch(self, model: PromptModel, items: Sequence[PromptItem]) -> list[TokenMap]:
        """The maps [F, N] of several items; all tokens of all prompts share the passes."""
        masks = [suppressed(item.special, self.left) for item in items]
        scores = [falls(*pair) for pair in zip(self._likelihoods(model, items, masks), items, strict=True)]
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


def suppressed(special: np.ndarray, left: float) -> np.ndarray:
    """Masks [1 + n, N]: nothing suppressed, then each of the text's n tokens in turn; special tokens are always out.

    >>> suppressed(np.array([False, False, True]), 0.25).tolist()
    [[1.0, 1.0, 0.0], [0.25, 1.0, 0.0], [1.0, 0.25, 0.0]]
    """
    masks = np.tile(np.where(special, 0.0, 1.0), (1 + int((~special).sum()), 1))
    text = np.flatnonzero(~special)
    masks[1 + np.arange(len(text)), text] = left
    return masks


def falls(likelihoods: np.ndarray, item: PromptItem) -> np.ndarray:
    """How far each frame's likelihood falls with each token suppressed, [F, N]; 0 for special tokens."""
    scores = np.zeros((likelihoods.shape[1], len(item.tokens)))
    scores[:, ~item.special] = (likelihoods[:1] - likelihoods[1:]).T
    return scores


def _to_map(scores: np.ndarray) -> TokenMap:
    """The positive part over its largest; the signed scores break ties."""
    positive = scores.clip(min=0)
    return TokenMap(weights=positive / max(float(positive.max()), np.finfo(np.float64).tiny), order=scores)
