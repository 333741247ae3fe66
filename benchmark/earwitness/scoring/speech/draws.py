"""Arrays of the speech track's responses at random, as its scoring gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from earwitness.metrics.responses.speech import (
    DeletionBleu,
    DeletionErrors,
    FrameMeans,
    FramePeaks,
    InsertionBleu,
    InsertionErrors,
    PrefixCells,
    PrefixProbabilities,
    PrefixTellers,
    SpectrogramCells,
    TokenProbabilities,
    TrainingDistances,
)
from earwitness.scoring.draws import length, marks, weights
from earwitness.scoring.speech.grids import GRIDS

if TYPE_CHECKING:
    from earwitness.metrics import Response

SHARES = np.array(GRIDS["fine"])


def draw(response: Response, random: np.random.Generator) -> tuple[Any, ...]:
    """Arrays that fit a response; raises NotImplementedError where it is none of the track's."""
    tokens, frames, bins = length(random), length(random), length(random)
    match response:
        case DeletionErrors() | InsertionErrors():
            # A transcript may be longer than the reference, and a reference may have no words once it is normalised.
            words = length(random, least=0)
            errors = random.integers(2 * words, endpoint=True, size=len(SHARES)).tolist()
            return errors, words, random.uniform(1, 2 * tokens), SHARES
        case DeletionBleu() | InsertionBleu():
            return weights(random, (len(SHARES),)).tolist(), SHARES
        case TokenProbabilities():
            return weights(random, (tokens, tokens, len(SHARES))), SHARES
        case PrefixProbabilities():
            return ([weights(random, (k + 1,)) for k in range(2, tokens)],)
        case TrainingDistances():
            return random.exponential(size=len(SHARES)), random.uniform(0.1, 2), SHARES
        case SpectrogramCells():
            return (weights(random, (tokens, frames, bins)).astype(np.float32),)
        case PrefixCells():
            return (np.tril(weights(random, (tokens, tokens)), -1).astype(np.float32),)
        case PrefixTellers():
            before = np.tril(np.ones((tokens, tokens), dtype=bool), -1)
            return np.where(before, weights(random, (tokens, tokens)), 0), before & marks(random, (tokens, tokens))
        case FrameMeans() | FramePeaks():
            return weights(random, (tokens, frames)), marks(random, (tokens, frames))
    raise NotImplementedError(f"no arrays of {type(response).__name__} are drawn")
