"""Explanations that an audit of metrics tries beside the ceiling: degraded forms of it, and some that know nothing.

A track's file `forms` under `authoring` has `mix`, `shuffled` and `blind`, which say what that means of its arrays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from earwitness.tracks import Explanation

FORMS = 6
"""Forms of a ceiling: itself, four in which more and more is noise, and noise."""
HALF, ONES, ONE_HOT, SIZE = "half", "ones", "one-hot", "size"
BLIND = {
    HALF: "the same weight, one half, everywhere",
    ONES: "all of the weight everywhere",
    ONE_HOT: "all of the weight in one place that is drawn",
    SIZE: "the ceiling's own weights, in places that are drawn",
}
"""Explanations that know nothing, or nothing but how large an explanation should be."""


class Forms(Protocol):
    """What a track's file `forms` offers."""

    def mix(self, model: Any, item: Any, kept: Any, noise: Any, taken: Places) -> Explanation:
        """The explanation `kept` with those places that `taken` names as they are in `noise`."""

    def shuffled(self, model: Any, item: Any, kept: Any, rng: np.random.Generator) -> Explanation:
        """The explanation's own weights in other places."""

    def blind(self, model: Any, item: Any, rng: np.random.Generator) -> dict[str, Explanation]:
        """Explanations that know nothing: `HALF`, `ONES` and `ONE_HOT`."""


class Places:
    """Which places of an explanation are noise: a share of them, and all that a smaller share takes."""

    def __init__(self, seed: int, share: float) -> None:
        """`share` of all places, in an order drawn from `seed`."""
        self._seed = seed
        self._share = share

    def of(self, count: int) -> NDArray[np.bool_]:
        """[count] true where a place is noise.

        >>> less, more = (Places(7, share).of(10) for share in (0.2, 0.4))
        >>> int(less.sum()), int(more.sum()), bool((less <= more).all())
        (2, 4, True)
        """
        order = np.random.default_rng(self._seed).permutation(count)
        taken = np.zeros(count, dtype=bool)
        taken[order[: round(self._share * count)]] = True
        return taken


def shares() -> list[float]:
    """How much of each form is noise.

    >>> shares()
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    return [step / (FORMS - 1) for step in range(FORMS)]
