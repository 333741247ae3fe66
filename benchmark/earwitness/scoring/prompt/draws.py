"""Arrays of the prompt track's responses at random, as its scoring gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from earwitness.metrics.responses.prompt import (
    FreshSound,
    Logits,
    NullWords,
    Sound,
    TokenWeights,
    WordIntervals,
    WordRoles,
    WordShapley,
)
from earwitness.scoring.draws import length, marks, weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from earwitness.metrics import Response

SHARPEST = 50.0
"""Largest spread of logits: a softmax of them is 1 for one class and 0, to single precision, for others."""


def draw(response: Response, random: np.random.Generator) -> tuple[Any, ...]:
    """Arrays that fit a response; raises NotImplementedError where it is none of the track's."""
    words, frames = length(random), length(random)
    match response:
        case Sound() | FreshSound():
            classes = length(random, least=2)
            return _softmax(_logits(random, (classes,))), _softmax(_logits(random, (classes,)))
        case Logits():
            shape = (length(random), frames, length(random, least=2))
            return _logits(random, shape), _logits(random, shape)
        case TokenWeights():
            return (weights(random, (frames, words)),)
        case WordRoles():
            return _ranks(random, words), marks(random, (words,))
        case WordIntervals():
            # Several words may speak of one event.
            events = np.sort(random.uniform(0, frames, (length(random), 2)), axis=1)
            times = np.arange(frames) + 0.5
            return weights(random, (frames, words)), events[random.integers(len(events), size=words)], times
        case WordShapley():
            return _ranks(random, words), random.normal(size=words) * marks(random, (words,))
        case NullWords():
            return weights(random, (words,)), marks(random, (words,))
    raise NotImplementedError(f"no arrays of {type(response).__name__} are drawn")


def _logits(random: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
    return (random.normal(size=shape) * random.uniform(0, SHARPEST)).astype(np.float32)


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    exponents = np.exp(logits - logits.max())
    return np.asarray(exponents / exponents.sum(), dtype=np.float32)


def _ranks(random: np.random.Generator, words: int) -> NDArray[np.float64]:
    """Dense ranks [W]."""
    _, ranks = np.unique(weights(random, (words,)), return_inverse=True)
    return ranks.astype(np.float64)
