"""The tracks: one file each, which is all that a submitter must read.

A file of this package defines `TRACK`, by which everything that serves every track alike finds its types.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, Protocol, Self

from earwitness.errors import EarwitnessError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np


class Item(Protocol):
    """One input to be explained. Frozen; carries what an explainer may know and nothing of the truth."""

    @property
    def id(self) -> str:
        """Name of the item, unique in its task."""

    def arrays(self) -> dict[str, np.ndarray]:
        """Its arrays, by field."""

    def fields(self) -> dict[str, Any]:
        """Its other fields, as JSON types."""

    @classmethod
    def build(cls, fields: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """The item again, from `fields()` and `arrays()`."""


class Explanation(Protocol):
    """What an explainer returns: typed arrays."""

    def arrays(self) -> dict[str, np.ndarray]:
        """Its arrays, by field."""

    @classmethod
    def build(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """The explanation again; raises InvalidExplanationError where the arrays are none."""

    def check(self, item: Any) -> None:
        """Raise InvalidExplanationError unless it is an explanation of this item."""


class Explainer(Protocol):
    """The method under test."""

    def explain(self, model: Any, item: Any) -> Any:
        """The explanation of one item."""

    def explain_batch(self, model: Any, items: Sequence[Any]) -> list[Any]:
        """The explanations of several items, in their order."""


@dataclass(frozen=True)
class Track:
    """A track's name and types."""

    name: str
    question: str
    item: type[Item]
    explanation: type[Explanation]
    explainer: type[Any]


def names() -> list[str]:
    """Names of all tracks.

    >>> "prompt" in names()
    True
    """
    return sorted(module.name for module in iter_modules(__path__))


def load(name: str) -> Track:
    """The track of that name; raises EarwitnessError where there is none."""
    if name not in names():
        raise EarwitnessError(f"no track is called {name!r}; tracks: {', '.join(names())}")
    track = import_module(f"{__name__}.{name}").TRACK
    assert isinstance(track, Track)
    return track
