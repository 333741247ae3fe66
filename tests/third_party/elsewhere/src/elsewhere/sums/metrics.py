"""The track's response and its metric."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from earwitness.metrics import Response, metric


@dataclass(frozen=True)
class Removed(Response):
    """The model's answer to all numbers, and to those that are left without the `count` of largest share."""

    track: ClassVar[str] = "elsewhere_sums"
    count: Annotated[int, Field(ge=1, le=100)] = 1


@metric(reads=Removed, direction="higher")
def elsewhere_lost(whole: float, rest: float) -> float:
    """How much of the answer is lost.

    >>> elsewhere_lost(3.0, 1.0)
    2.0
    """
    return float(whole - rest)
