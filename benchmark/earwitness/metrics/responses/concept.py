"""Responses of the concept track: what a dictionary's features tell of factors, and what moving them does.

Letters of shapes as in `tracks.concept`; `n` and `m` are training and held-out clips, `K` factors, `B` traced clips,
`T` steps of a diffusion. A response of a factor is asked once a factor: a metric's value is the mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from earwitness.metrics import Response

EVERY = "every"
"""The factor of a metric that is the mean over all factors of the dataset."""
Pooling = Literal["mean", "rms"]
"""What a clip has of a feature: its mean over frames, or its root mean square, for latents that hold the wave."""
Training = Literal["independent", "correlated"]
"""Whether all factors of the training clips are independent, or two of them move together."""


@dataclass(frozen=True)
class ConceptResponse(Response):
    """A response of the concept track."""

    track: ClassVar[str] = "concept"


@dataclass(frozen=True)
class FactorResponse(ConceptResponse):
    """What is asked of one factor, or of each."""

    factor: str = EVERY


@dataclass(frozen=True)
class ClipFeatures(FactorResponse):
    """Each clip's features and a factor of it: of training clips [n, C], [n], and of held-out ones [m, C], [m]."""

    training: Training = "independent"
    pooling: Pooling = "mean"


@dataclass(frozen=True)
class MovedFactors(FactorResponse):
    """How much each factor moved [n, K] in the decoded sound as one was steered, and the number of that one."""

    k: Annotated[int, Field(ge=0)] = 0
    """How many features are steered; 0 for all."""


@dataclass(frozen=True)
class TracedProbe(FactorResponse):
    """What a probe of the features says of a factor [B, T] at each step of traced generations."""


@dataclass(frozen=True)
class TracedProbeAndSound(TracedProbe):
    """What a probe says of a factor [B, T] at each step, and what an estimator hears [B, T] in its sound."""


@dataclass(frozen=True)
class RebuiltLatents(ConceptResponse):
    """Latents [N, D] of held-out frames, and what the dictionary makes of them [N, D]."""


@dataclass(frozen=True)
class HeldOutFeatures(ConceptResponse):
    """Features [N, C] of held-out frames."""


@dataclass(frozen=True)
class AllFeatures(ConceptResponse):
    """Features [N', C] of training and of held-out frames."""


@dataclass(frozen=True)
class TwoFits(ConceptResponse):
    """Features [N, C] and [N, C'] of held-out frames, of dictionaries fitted under two seeds."""
