"""From scores of tokens to maps of the prompt track."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from earwitness.tracks.prompt import PromptItem, TokenMap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


Average = Literal["asked", "all", "none"]
"""Frames that rows are averaged over: those that an item asks for, all of them, or none, for a row for every frame."""


def averaged(scores: np.ndarray, item: PromptItem, average: Average) -> np.ndarray:
    """Scores [N] of tokens, the mean of their rows [F, N] over some frames; or the rows, where `average` is none."""
    if average == "none":
        return scores
    rows: np.ndarray = scores[item.asked] if average == "asked" else scores
    return np.asarray(rows.mean(axis=0))


def positive_map(scores: np.ndarray) -> TokenMap:
    """The positive part of signed scores [F, N] or [N] over its largest; the signed scores break ties.

    >>> positive_map(np.array([2.0, 1.0, -1.0])).weights.tolist()
    [1.0, 0.5, 0.0]
    """
    return TokenMap(weights=_over_largest(scores.clip(min=0)), order=scores)


def relevance_map(scores: np.ndarray) -> TokenMap:
    """Scores [F, N] or [N] that are nowhere negative over their largest.

    >>> relevance_map(np.array([4.0, 1.0, 0.0])).weights.tolist()
    [1.0, 0.25, 0.0]
    """
    return TokenMap(weights=_over_largest(scores))


def words_to_tokens(values: np.ndarray, words: np.ndarray) -> np.ndarray:
    """Values [W, F] of words, read at each token's word: [F, N], 0 for special tokens (word -1).

    >>> words_to_tokens(np.array([[1.0], [2.0]]), np.array([0, 1, 1, -1])).tolist()
    [[1.0, 2.0, 2.0, 0.0]]
    """
    scores: np.ndarray = np.concatenate([values, np.zeros((1, values.shape[1]), values.dtype)])[words].T
    return scores


def scores_in_batches(
    items: Sequence[PromptItem], batch: int, scores: Callable[[Sequence[PromptItem]], np.ndarray]
) -> Iterator[np.ndarray]:
    """Each item's scores [F, N], 0 for special tokens; `scores` gives [B, F, N or more] for at most `batch` items."""
    for start in range(0, len(items), batch):
        chunk = items[start : start + batch]
        for item, rows in zip(chunk, scores(chunk), strict=True):
            yield np.where(item.special, 0.0, rows[:, : len(item.tokens)])


def _over_largest(scores: np.ndarray) -> np.ndarray:
    weights: np.ndarray = scores / max(float(scores.max()), np.finfo(np.float64).tiny)
    return weights
