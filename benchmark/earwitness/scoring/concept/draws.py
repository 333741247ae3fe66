"""Arrays of the concept track's responses at random, as its scoring gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from earwitness.metrics.responses.concept import (
    AllFeatures,
    ClipFeatures,
    HeldOutFeatures,
    MovedFactors,
    RebuiltLatents,
    TracedProbe,
    TracedProbeAndSound,
    TwoFits,
)
from earwitness.scoring.draws import length, marks, sparse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from earwitness.metrics import Response

CLIPS = 12
"""Training clips, of which every probe needs some more than classes."""


def draw(response: Response, random: np.random.Generator) -> tuple[Any, ...]:
    """Arrays that fit a response; raises NotImplementedError where it is none of the track's."""
    rows, features = length(random), length(random)
    traced = (rows, length(random, least=2))
    match response:
        case ClipFeatures():
            train, test = sparse(random, (CLIPS, features)), sparse(random, (rows, features))
            return train, random.normal(size=CLIPS), test, random.normal(size=rows)
        case MovedFactors():
            factors = length(random)
            return _unheard(random, random.normal(size=(rows, factors))), int(random.integers(factors))
        case TracedProbeAndSound():
            return random.normal(size=traced), _unheard(random, random.normal(size=traced))
        case TracedProbe():
            return (random.normal(size=traced),)
        case RebuiltLatents():
            latents = random.normal(size=(rows, features)).astype(np.float32)
            return latents, latents + random.normal() * random.normal(size=latents.shape)
        case HeldOutFeatures() | AllFeatures():
            return (sparse(random, (rows, features)).astype(np.float32),)
        case TwoFits():
            other = (rows, length(random))
            return sparse(random, (rows, features)).astype(np.float32), sparse(random, other).astype(np.float32)
    raise NotImplementedError(f"no arrays of {type(response).__name__} are drawn")


def _unheard(random: np.random.Generator, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values of which any share is NaN: an estimator heard nothing."""
    return np.where(marks(random, values.shape) & marks(random, values.shape), np.nan, values)
