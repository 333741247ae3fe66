"""What sanity checks ask of a track: items moved about, and how alike two explanations are.

A track's package has a file `sanity`, whose `SANITY` is its `TrackSanity`. Explanations are compared by rank alone:
similarities of squares or of structure hold noise and one large value for agreement (Hedstrom et al., Sanity Checks
Revisited, arXiv 2401.06465).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import rankdata

from earwitness import tracks
from earwitness.errors import EarwitnessError, InvalidItemError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from earwitness.tracks import Item

BLOCKS = 8
"""Parts of a stretch of frames that change places: long enough that what sounds in one is still heard."""
TRIES = 64
"""Permutations that are drawn, of which the one counts that leaves fewest at their place."""


@dataclass(frozen=True)
class Permuted:
    """An item whose parts were moved about, and the way back."""

    item: Item
    back: NDArray[np.int64] | None = None
    """Place in the new item of each part of the old one; None where no part can be found again."""


class TrackSanity(ABC):
    """How a track's explanations are put to the test. `scoring` is the track's opened scoring, with its `model`."""

    moved: str
    """What `permuted` moves about, in words that follow "when"."""

    @abstractmethod
    def run(self, model: Any, item: Any) -> None:
        """One pass of what is explained, from the input to the output: it calls every layer that takes part."""

    @abstractmethod
    def permuted(self, item: Any, scoring: Any, seed: int) -> Permuted:
        """The item with its parts moved about; raises InvalidItemError where that cannot be."""

    @abstractmethod
    def agreement(self, item: Any, first: Any, second: Any, back: NDArray[np.int64] | None = None) -> float:
        """How alike two explanations are, 1 where they say the same and about 0 where they have nothing in common; NaN
        where the item has nothing to tell apart.

        `back` says where the second has the parts of the item; without it they are compared place by place.
        """

    @abstractmethod
    def magnitudes(self, item: Any, explanation: Any) -> list[NDArray[np.float64]]:
        """How large what an explanation says is, [n] not negative, of each of the things that it tells apart."""

    def under(self, item: Any, scoring: Any, model: Callable[[], Any]) -> Item:
        """The item as it is with another model: the same, but where what is explained are the model's own latents."""
        found: Item = item
        return found


def of_track(name: str) -> TrackSanity:
    """How a track's explanations are put to the test; raises EarwitnessError where its package does not say."""
    package = tracks.load(name).scoring
    try:
        found: TrackSanity = import_module(f"{package}.sanity").SANITY
    except ModuleNotFoundError as error:
        if error.name != f"{package}.sanity":
            raise
        raise EarwitnessError(f"track {name} has no sanity checks: {package} has no file sanity.py") from error
    return found


def rank_agreement(first: Sequence[NDArray[Any]], second: Sequence[NDArray[Any]]) -> float:
    """Spearman's correlation of two lists of scores, each with its counterpart, averaged over the list.

    Where scores are all equal there is no rank: 1 if both are the same all the same, else 0. NaN where there is one
    score alone, which says nothing either way.

    >>> rank_agreement([np.array([1.0, 2.0, 3.0])], [np.array([10.0, 30.0, 20.0])])
    0.5
    >>> rank_agreement([np.ones(3)], [np.ones(3)]), rank_agreement([np.ones(3)], [np.arange(3)])
    (1.0, 0.0)
    """
    return float(np.mean([_spearman(one, other) for one, other in zip(first, second, strict=True)]))


def _spearman(first: NDArray[Any], second: NDArray[Any]) -> float:
    one, other = (rankdata(values) - (values.size + 1) / 2 for values in (first, second))
    if first.size < 2:
        return float("nan")
    scale = float(np.sqrt((one @ one) * (other @ other)))
    if scale == 0:
        return float(np.array_equal(first, second))
    # Sums of ranks are exact; rounding of the root must not make equal maps differ.
    return 1.0 if np.array_equal(one, other) else float(one @ other) / scale


def entropy_share(values: NDArray[Any]) -> float:
    """Entropy of magnitudes [n] that add up to 1, as a share of the largest: 0 where all is in one place, 1 where all
    are equal; NaN where there is nothing.

    >>> entropy_share(np.array([1.0, 0.0])), entropy_share(np.array([2.0, 2.0])), entropy_share(np.zeros(2))
    (0.0, 1.0, nan)
    """
    total = float(values.sum())
    if total <= 0 or values.size < 2:
        return float("nan")
    shares = values[values > 0] / total
    return abs(float(-(shares * np.log(shares)).sum() / np.log(values.size)))


def gini(values: NDArray[Any]) -> float:
    """Gini's coefficient of magnitudes [n]: 0 where all are equal, 1 - 1/n where all is in one place; NaN where there
    is nothing.

    >>> gini(np.array([1.0, 1.0])), gini(np.array([0.0, 1.0])), gini(np.zeros(2))
    (0.0, 0.5, nan)
    """
    total, count = float(values.sum()), values.size
    if total <= 0:
        return float("nan")
    return float((2 * np.arange(1, count + 1) - count - 1) @ np.sort(values) / (count * total))


def moved_blocks(length: int, seed: int) -> NDArray[np.int64]:
    """An order [length] in which `BLOCKS` stretches, as equal as can be, have changed places, and of those tried the
    one in which fewest frames stand where they stood: stretches of unlike lengths can move past one another.

    Raises InvalidItemError where there are fewer than two parts to move.

    >>> order = moved_blocks(8, 0)
    >>> sorted(order.tolist()) == list(range(8)), bool((order == np.arange(8)).any())
    (True, False)
    """
    blocks = np.array_split(np.arange(length), min(BLOCKS, max(length, 1)))
    random = np.random.default_rng(seed)
    drawn = [np.concatenate([blocks[place] for place in random.permutation(len(blocks))]) for _ in range(TRIES)]
    kept = [int((order == np.arange(length)).sum()) for order in drawn]
    if min(kept) == length:
        raise InvalidItemError(f"there are {length} parts, of which none can change places with another")
    return drawn[int(np.argmin(kept))]


def deranged(names: Sequence[Any], seed: int) -> NDArray[np.int64]:
    """An order in which as few as can be of some parts stand where one of the same name stood.

    Raises InvalidItemError where none can be moved.

    >>> deranged(["a", "b"], 0).tolist()
    [1, 0]
    """
    random = np.random.default_rng(seed)
    drawn = [random.permutation(len(names)) for _ in range(TRIES)]
    kept = [sum(names[place] == name for place, name in zip(order, names, strict=True)) for order in drawn]
    if not names or min(kept) == len(names):
        raise InvalidItemError(f"there are {len(names)} parts, of which none can change places with another")
    return drawn[int(np.argmin(kept))]
