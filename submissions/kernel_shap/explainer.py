"""Shapley values of words by weighted least squares (KernelSHAP, arXiv 1705.07874)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
from pydantic import Field

from earwitness.explaining.prompt_likelihoods import masked_likelihoods
from earwitness.explaining.token_maps import Average, averaged, positive_map, words_to_tokens
from earwitness.tracks.prompt import PromptExplainer, PromptItem, PromptModel, Removal, TokenMap

if TYPE_CHECKING:
    from collections.abc import Sequence


class Coalitions(NamedTuple):
    """Sets of words with their share of the Shapley kernel."""

    members: np.ndarray
    """[R, W] bool; the first row is the empty set, the second the full one."""
    weights: np.ndarray
    """[R] float64; zero for the first two, which the regression meets exactly."""


@dataclass
class KernelShap(PromptExplainer):
    """Shapley values of the words for each frame's teacher-forced log-likelihood, special tokens being out."""

    coalitions: Annotated[int, Field(ge=4)] = 2048
    """Sets of words evaluated a prompt, the empty one, the full one and a pair at least; all 2^W of them where there
    are no more, and the values then are exact."""
    removal: str = "scale"
    """How a word is removed: a value of `Removal`."""
    average: Average = "asked"
    """Frames that rows are averaged over, for a map [N]: `asked`, `all`, or `none` for a map with all rows."""
    batch: int = 64
    """Sequences a pass."""

    def explain(self, model: PromptModel, item: PromptItem) -> TokenMap:
        """The map [F, N] of one item."""
        return self.explain_batch(model, [item])[0]

    def explain_batch(self, model: PromptModel, items: Sequence[PromptItem]) -> list[TokenMap]:
        """The maps [F, N] of several items; all coalitions of all prompts share the passes."""
        words = model.words([item.prompt for item in items])
        games = [
            draw_coalitions(int(word.max()) + 1, self.coalitions, item.explainer_seed)
            for word, item in zip(words, items, strict=True)
        ]
        masks = [on_tokens(game.members, word) for game, word in zip(games, words, strict=True)]
        values = masked_likelihoods(model, items, masks, Removal(self.removal), self.batch)
        solved = [shapley_values(game, value) for game, value in zip(games, values, strict=True)]
        scores = [words_to_tokens(value, word) for value, word in zip(solved, words, strict=True)]
        return [positive_map(averaged(score, item, self.average)) for score, item in zip(scores, items, strict=True)]


def draw_coalitions(words: int, budget: int, seed: int) -> Coalitions:
    """Coalitions of `words` players, at most `budget` (no fewer than four): every one if 2^words are no more.

    Else sizes s and W - s are enumerated together from the outside in for as long as their share of the Shapley
    kernel pays for it, and the other sizes are strata that are sampled in proportion to their share, without
    replacement, every set with its complement. A stratum's weight is its exact share, (W - 1) / (s (W - s)).
    """
    everyone = tuple(range(words))
    sets: list[tuple[int, ...]] = [(), everyone] if words > 0 else [()]
    weights = [0.0] * len(sets)
    strata = list(range(1, words // 2 + 1))
    left = float("inf") if 2**words <= budget else max(budget, 4) - 2
    rng = np.random.default_rng(seed)
    shares = {size: _share(words, size) for size in strata}
    for position, size in enumerate(strata):
        rest = sum(shares[other] for other in strata[position:])
        pairs = _pairs(words, size, left * shares[size] / rest, rng)
        for pair in pairs:
            sets += pair
            weights += [shares[size] / (2 * len(pairs))] * 2
        left -= 2 * len(pairs)
    members = np.zeros((len(sets), words), dtype=bool)
    for row, players in zip(members, sets, strict=True):
        row[list(players)] = True
    return Coalitions(members, np.array(weights))


def _share(words: int, size: int) -> float:
    """Share of the Shapley kernel of the sets of a size and of those of the complements' size."""
    share = (words - 1) / (size * (words - size))
    return share if 2 * size == words else 2 * share


def _pairs(
    words: int, size: int, allowance: float, rng: np.random.Generator
) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Sets of a size with their complements: all where the allowance covers them, else distinct random ones."""
    count = comb(words, size)
    if 2 * size == words:
        count //= 2  # A set and its complement are of one size.
    wanted = count if 2 * count <= allowance else min(count, int(allowance / 2))
    everyone = frozenset(range(words))
    if wanted == count:
        chosen = list(combinations(range(words), size))[:count]
    else:
        drawn_sets: dict[tuple[int, ...], None] = {}
        while len(drawn_sets) < wanted:
            drawn = tuple(sorted(rng.choice(words, size, replace=False).tolist()))
            complement = tuple(sorted(everyone - set(drawn)))
            drawn_sets.setdefault(min(drawn, complement) if 2 * size == words else drawn)
        chosen = list(drawn_sets)
    return [(players, tuple(sorted(everyone - set(players)))) for players in chosen]


def on_tokens(members: np.ndarray, words: np.ndarray) -> np.ndarray:
    """Token masks [R, N] of coalitions [R, W]; special tokens (word -1) are always out.

    >>> on_tokens(np.array([[True, False]]), np.array([0, 0, 1, -1])).astype(int).tolist()
    [[1, 1, 0, 0]]
    """
    outsider = np.zeros((len(members), 1), dtype=bool)
    return np.concatenate([members, outsider], axis=1)[:, words]


def shapley_values(game: Coalitions, values: np.ndarray) -> np.ndarray:
    """Values [W, F] that solve the kernel-weighted regression of `values` [R, F] and add up to v(all) - v(none).

    The constraint is met by substitution for the last word (Lundberg and Lee 2017, theorem 2). Exact where the
    coalitions are all 2^W.
    """
    members = game.members.astype(np.float64)
    if members.shape[1] < 2:
        return np.diff(values[:2], axis=0)
    total = values[1] - values[0]
    root = np.sqrt(game.weights[2:, None])
    last = members[2:, -1:]
    targets = values[2:] - values[0] - last * total
    solved = np.linalg.lstsq(root * (members[2:, :-1] - last), root * targets, rcond=None)[0]
    return np.concatenate([solved, total[None] - solved.sum(axis=0, keepdims=True)])
