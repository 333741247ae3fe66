"""The largest statistic of pairs under sign assignments, step by step as pairs leave the family."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from earwitness.stats.flips import ROUNDING, Signs
from earwitness.stats.intervals import Array

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

IN_CACHE = 200_000
"""Numbers that are worked on at once: more leave a processor's cache, and take several times as long."""
Flags = NDArray[np.bool_]
Places = NDArray[np.int64]


class LargestPairs:
    """The largest statistic of the pairs of E entrants that are left, under each of R sign assignments.

    first and second are cluster sums `[C, E]` of the better and the worse side, norms `[E, E]`; drawn gives the
    assignments in chunks, the same at each call. A step that takes pairs out asks anew only of those assignments whose
    largest pair is among them: the largest of the others is still the largest.
    """

    def __init__(self, drawn: Callable[[], Iterable[Signs]], first: Array, second: Array, norms: Array) -> None:
        self._drawn = drawn
        self._first, self._second, self._norms = first, second, norms
        self._known: list[tuple[Array, Places]] = []
        self._left: Flags | None = None

    def __call__(self, left: Flags) -> Array:
        """[R] the largest of the pairs left `[E, E]`."""
        shrunk = self._left is not None and not (left & ~self._left).any() and bool(left.any())
        known = []
        for number, some in enumerate(self._drawn()):
            value, place = self._known[number] if shrunk else (np.empty(len(some)), np.zeros(len(some), np.int64))
            again = np.nonzero(~left.ravel()[place])[0] if shrunk else np.arange(len(some))
            if len(again):
                value[again], place[again] = largest_pair(some, self._first, self._second, self._norms, left, again)
            known.append((value, place))
        self._known, self._left = known, left.copy() if left.any() else None
        return np.concatenate([value for value, _ in known])


def largest_pair(
    some: Signs, first: Array, second: Array, norms: Array, left: Flags, asked: Places
) -> tuple[Array, Places]:
    """The largest statistic of the pairs that are left, and that pair's place in `[E, E]`, under those sign
    assignments `[R, C]` whose numbers are asked for; -inf where no pair is left."""
    rows, columns = np.nonzero(left)
    if not len(rows):
        return np.full(len(asked), -np.inf), np.zeros(len(asked), np.int64)
    # All assignments are multiplied: a product of fewer rows may be summed in another order.
    one, other = (some @ first.astype(np.float32))[asked], (some @ second.astype(np.float32))[asked]
    few = len(rows) < left.size // 2
    every = _reciprocal(norms)
    weight = every[rows, columns] if few else np.where(left, every, np.float32(0))
    step = max(1, IN_CACHE // max(weight.size, 1))
    found, place = np.empty(len(asked)), np.empty(len(asked), np.int64)
    for start in range(0, len(asked), step):
        block = slice(start, start + step)
        if few:
            difference = np.take(one[block], rows, axis=1) - np.take(other[block], columns, axis=1)
        else:
            difference = one[block, :, None] - other[block, None, :]
        difference *= weight
        flat = difference.reshape(len(difference), -1)
        largest = flat.argmax(axis=1)
        # What is not left stands as 0: where nothing exceeds it, it must not be the largest.
        for draw in np.nonzero(~(flat[np.arange(len(flat)), largest] > 0))[0] if not few else ():
            largest[draw] = np.where(left.ravel(), flat[draw], -np.inf).argmax()
        found[block], place[block] = flat[np.arange(len(flat)), largest], largest
    return found, rows[place] * len(left) + columns[place] if few else place


def _reciprocal(norms: Array) -> NDArray[np.float32]:
    inverse: Array = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > ROUNDING)
    return inverse.astype(np.float32)
