"""Masks over a prompt's tokens, made of explanations: the weights themselves, or the top share of every frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from earwitness.metrics.responses.prompt import share
from earwitness.seeds import derive

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray

    from earwitness.tracks.prompt import PromptItem, TokenMap

    Floats: TypeAlias = NDArray[np.float64]


def kept(share: float, tokens: int) -> int:
    """How many of the text's tokens a mask keeps in every frame: the rounded share, at least one.

    >>> kept(0.3, 9), kept(0.1, 4)
    (3, 1)
    """
    return max(1, round(share * tokens))


def mask(name: str, explanation: TokenMap, item: PromptItem, tie_seed: int) -> Floats:
    """The mask [F, N] that keeps what the explanation marks; special tokens are 0.

    Where the item asks for some of its frames, what is said of these is kept throughout. A `top` mask is binary and
    keeps equally many of the text's tokens in every frame, those with the largest weight. Ties are broken by the
    explanation's `order`, then by one permutation of the item drawn from `tie_seed`: never by position, so that a
    constant explanation keeps a random subset. Raises ValueError on an unknown name.
    """
    weights, order = explanation.asked(item)
    part = share(name)
    if part is None:
        return np.where(item.special, 0.0, weights)
    text = np.flatnonzero(~item.special)
    permutation = np.random.default_rng(derive("ties", tie_seed)).permutation(len(text))
    lottery = np.broadcast_to(permutation, (len(weights), len(text)))
    ranked = np.lexsort((lottery, -order[:, text], -weights[:, text]), axis=-1)
    result = np.zeros(weights.shape)
    np.put_along_axis(result, text[ranked[:, : kept(part, len(text))]], 1.0, axis=1)
    return result


def complement(mask: Floats, special: NDArray[np.bool_]) -> Floats:
    """The counterfactual mask [F, N]: 1 - mask on the text's tokens, and 0 on special ones, which carry every word."""
    return np.where(special, 0.0, 1.0 - mask)


def word_mask(words: NDArray[np.bool_], owner: NDArray[np.int64]) -> Floats:
    """The mask [N] that keeps all tokens of the words [W] and no special one; `owner` [N] is a token's word or -1.

    >>> word_mask(np.array([True, False]), np.array([0, 0, 1, -1])).tolist()
    [1.0, 1.0, 0.0, 0.0]
    """
    return np.where(owner >= 0, words[owner], False).astype(np.float64)


def by_word(weights: Floats, owner: NDArray[np.int64], reduce: str = "sum") -> Floats:
    """Weights [F, W] of words from weights [F, N] of tokens: the sum or the maximum (`max`) over a word's tokens.

    >>> by_word(np.array([[0.2, 0.3, 0.5, 0.9]]), np.array([0, 0, 1, -1])).round(3).tolist()
    [[0.5, 0.5]]
    """
    parts = [weights[:, owner == word] for word in range(int(owner.max()) + 1)]
    return np.stack([part.sum(1) if reduce == "sum" else part.max(1) for part in parts], axis=1)
