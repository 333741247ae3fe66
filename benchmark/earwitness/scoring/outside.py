"""What of a track goes through files: the sound of an item, and the arrays that an explanation of it is made of.

A track's package has a file `outside`, whose `OUTSIDE` is its `TrackOutside`: by it items are handed out to explainers
that are no code of ours, and their arrays are told from any others before they are read.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from earwitness import tracks
from earwitness.errors import EarwitnessError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

Shape = tuple[int | None, ...]
"""Of an array; None is any size from 1."""


@dataclass(frozen=True)
class ExpectedArray:
    """An array of the explanation of one item."""

    name: str
    shapes: tuple[Shape, ...]
    """Those that it may have, the fullest first."""
    what: str
    """What it holds, in a few words."""
    dtype: str = "float32"
    """Of numpy."""
    optional: bool = False

    def fits(self, shape: Sequence[int]) -> bool:
        """Whether an array may have this shape.

        >>> ExpectedArray("weights", ((2, 3), (3,)), "").fits((3,)), ExpectedArray("bias", ((None,),), "").fits((0,))
        (True, False)
        """
        return any(len(shape) == len(known) and all(map(_fits, shape, known)) for known in self.shapes)


def _fits(size: int, known: int | None) -> bool:
    return size == known if known is not None else size > 0


class TrackOutside(ABC):
    """What of a track goes through files."""

    @abstractmethod
    def expected(self, item: Any) -> tuple[ExpectedArray, ...]:
        """The arrays that an explanation of an item is made of."""

    def sound(self, item: Any, model: Any) -> NDArray[np.float32] | None:
        """Audio [S] that is explained, as the model makes it of what is in the item; None where it makes none."""
        return None


def of_track(name: str) -> TrackOutside:
    """What of a track goes through files; raises EarwitnessError where its package does not say."""
    package = tracks.load(name).scoring
    try:
        found: TrackOutside = resolve_name(f"{package}.outside:OUTSIDE")
    except ModuleNotFoundError as error:
        if error.name != f"{package}.outside":
            raise
        raise EarwitnessError(
            f"track {name} takes no explanations that were made elsewhere: {package} has no file outside.py"
        ) from error
    return found
