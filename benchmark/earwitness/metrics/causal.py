"""Agreement of band maps with what intervention on the model shows (model truth), and what removing attention does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from earwitness.metrics import metric
from earwitness.metrics.arrays import UndefinedError, real, same_shape
from earwitness.metrics.band import mean_correlation
from earwitness.metrics.responses.band import DeletedPresence, FreshPresence, WordDifference

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

HEARD = 0.5
"""Presence above which a judge hears an instrument."""


@metric(reads=WordDifference, direction="higher", range=(-1.0, 1.0), defined_by=("swap",))
def swap_corr(maps: ArrayLike, difference: ArrayLike) -> float:
    """Pearson correlation over cells of a word's map with |loudness with the word - loudness without it|.

    `maps` and `difference` [I, M, T]; both sounds share start and noise, so that the difference is the word's doing. A
    constant map gets 0. Ours. Raises UndefinedError where no word's removal changes the sound, or each changes it
    everywhere alike.

    >>> round(swap_corr([[[1.0, 2.0, 3.0]]], [[[0.5, 1.0, 1.5]]]), 12)
    1.0
    >>> swap_corr([[[1.0, 1.0]]], [[[0.0, 1.0]]])
    0.0
    """
    values, changed = real("maps", maps, 3), real("difference", difference, 3)
    same_shape(maps=values, difference=changed)
    return mean_correlation(values, changed, "removing a word changes no cell of this sound more than another")


@metric(reads=DeletedPresence, direction="higher", range=(-1.0, 1.0))
def deletion_drop(before: ArrayLike, after: ArrayLike) -> float:
    """Drop of an instrument's presence when its word's attention is set to 0 in the map's top cells.

    `before` [I] presence of each named instrument in the original; `after` [I, I] that of instrument j in row i, once
    the word of instrument i has lost its attention. Instruments that the judge does not hear in the original (at most
    0.5) are left out. Ours. Raises UndefinedError where it hears none.

    >>> deletion_drop([0.875, 0.25], [[0.125, 0.25], [0.875, 0.0]])
    0.75
    """
    p, q, heard = _presences(before, after)
    return float((p - np.diag(q))[heard].mean())


@metric(reads=DeletedPresence, direction="lower", range=(0.0, 1.0))
def deletion_others(before: ArrayLike, after: ArrayLike) -> float:
    """Mean absolute change of the other named instruments' presence when a word's attention is taken in its top cells.

    Arguments as for `deletion_drop`. Instruments that the judge does not hear in the original are neither deleted nor
    listened for. Ours. Raises UndefinedError where it hears fewer than two.

    >>> deletion_others([0.875, 0.75], [[0.125, 0.5], [0.875, 0.0]])
    0.125
    """
    p, q, heard = _presences(before, after)
    pairs = heard[:, None] & heard[None] & ~np.eye(len(p), dtype=bool)
    if not pairs.any():
        raise UndefinedError("the judge hears no second named instrument in this sound")
    return float(np.abs(q - p)[pairs].mean())


@metric(reads=FreshPresence, direction="none", range=(-1.0, 1.0))
def deletion_noise(before: ArrayLike, after: ArrayLike) -> float:
    """Drop of the named instruments' presence when only the noise is another: the floor of `deletion_drop`.

    `before` and `after` [I] presence of each named instrument in the original and in a generation from the same start
    and prompt under fresh noise. Raises UndefinedError where the judge hears none in the original.

    >>> deletion_noise([0.875, 0.25], [0.75, 0.75])
    0.125
    """
    p, q = real("before", before, 1), real("after", after, 1)
    same_shape(before=p, after=q)
    return float((p - q)[_heard(p)].mean())


def _presences(
    before: ArrayLike, after: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    p, q = real("before", before, 1), real("after", after, 2)
    if q.shape != (len(p), len(p)):
        raise ValueError(f"after must be [{len(p)}, {len(p)}]; found {list(q.shape)}")
    return p, q, _heard(p)


def _heard(presence: NDArray[np.float64]) -> NDArray[np.bool_]:
    heard: NDArray[np.bool_] = presence > HEARD
    if not heard.any():
        raise UndefinedError("the judge hears none of the named instruments in this sound")
    return heard
