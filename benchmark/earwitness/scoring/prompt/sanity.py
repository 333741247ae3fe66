"""Sanity checks of the prompt track: the words of the prompt change places, and the sound stays as it is.

What follows the place alone gives a word's weight to whichever word stands there now. A map is compared token by token
of the text: special tokens carry no word.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from earwitness.errors import InvalidItemError
from earwitness.scoring.sanity import Permuted, TrackSanity, deranged, rank_agreement

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from earwitness.tracks.prompt import PromptItem, PromptModel, TokenMap


class PromptSanity(TrackSanity):
    """Maps of tokens, compared by the ranks of the tokens in each frame."""

    moved = "the words of the prompt change places"

    def run(self, model: PromptModel, item: PromptItem) -> None:
        """Text encoder and decoder, teacher-forced; the codec makes no part of what is explained."""
        with torch.no_grad():
            model.logits(torch.as_tensor(item.codes, device=model.device)[None], model.encode([item.prompt]))

    def permuted(self, item: PromptItem, scoring: Any, seed: int) -> Permuted:
        """The same sound with its prompt's words in another order.

        Raises InvalidItemError where no word can move, or the tokenizer splits a word otherwise in its new place.
        """
        words = item.prompt.split()
        order = deranged(words, seed)
        prompt = " ".join(words[place] for place in order)
        model: PromptModel = scoring.model
        moved = replace(
            item, prompt=prompt, tokens=tuple(model.tokens([prompt])[0]), special=model.special([prompt])[0]
        )
        before, after = (model.words([each])[0] for each in (item.prompt, prompt))
        back = np.empty(len(before), dtype=np.int64)
        places = [(-1, -1), *((int(word), place) for place, word in enumerate(order))]
        for word, place in places:
            old, new = np.flatnonzero(before == word), np.flatnonzero(after == place)
            if len(old) != len(new):
                raise InvalidItemError(f"{words[word]!r} is split into other tokens at another place of the prompt")
            back[old] = new
        return Permuted(moved, back)

    def agreement(
        self, item: PromptItem, first: TokenMap, second: TokenMap, back: NDArray[np.int64] | None = None
    ) -> float:
        """Spearman's correlation over tokens, averaged over frames."""
        one, other = _ranked(item, first), _ranked(item, second, back)
        return rank_agreement(one, other)

    def magnitudes(self, item: PromptItem, explanation: TokenMap) -> list[NDArray[np.float64]]:
        """Weights of the tokens in each frame."""
        weights = np.atleast_2d(explanation.weights.astype(np.float64))[:, ~item.special]
        return list(weights)


def _ranked(item: PromptItem, explanation: TokenMap, back: NDArray[np.int64] | None = None) -> list[NDArray[np.int64]]:
    """Places [N'] of the text's tokens in each frame, by weight and, where weights are equal, by order."""
    weights, order = explanation.framewise(item.codes.shape[1])
    if explanation.weights.ndim == 1:
        weights, order = weights[:1], order[:1]
    if back is not None:
        weights, order = weights[:, back], order[:, back]
    pairs = np.stack([weights, order], -1)[:, ~item.special]
    return [np.unique(frame, axis=0, return_inverse=True)[1].reshape(-1) for frame in pairs]


SANITY = PromptSanity()
