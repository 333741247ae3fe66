"""Agreement of band maps with where instruments sound (data truth: plausibility, not faithfulness).

Every function takes one item's maps and masks [I, M, T] of its I instrument words and gives the mean over instruments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from earwitness.metrics import metric
from earwitness.metrics.arrays import UndefinedError, real, same_shape
from earwitness.metrics.precision import average_precision
from earwitness.metrics.responses.band import Cells, ChosenCells, SoundingCells, TimedCells

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

HELD, BELOW_DB = 0.8, 40.0
"""Share of a stem's energy that its band holds, and decibels below its largest cell above which a cell counts."""


def sounding(mel: ArrayLike, held: float = HELD, below_db: float = BELOW_DB) -> NDArray[np.bool_]:
    """Cells [M, T] in which an instrument sounds, by its stem's log-mel spectrogram [M, T].

    They lie in the shortest contiguous band of mel bins that holds `held` of the stem's energy (the lowest of equally
    short ones), and above `below_db` decibels under its largest cell (AIBA, arXiv 2509.20891, says neither how the band
    nor how the level is taken; ours). Values are natural logarithms of magnitudes, so that energy is exp(2 mel).

    >>> sounding(np.log([[0.001, 0.001], [1.0, 0.001], [0.001, 0.4]])).astype(int).tolist()
    [[0, 0], [1, 0], [0, 0]]
    >>> sounding(np.log([[0.001, 0.001], [1.0, 0.001], [0.001, 0.9]])).astype(int).tolist()
    [[0, 0], [1, 0], [0, 1]]
    """
    levels = real("mel", mel, 2)
    energy = np.exp(2 * (levels - levels.max()))
    low, high = _band(energy.sum(1), held)
    found = energy > 10 ** (-below_db / 10)
    found[:low] = False
    found[high:] = False
    return np.asarray(found)


def _band(energy: NDArray[np.float64], held: float) -> tuple[int, int]:
    """First bin, and the bin after the last, of the shortest band that holds a share of energy [M]."""
    total = np.concatenate([[0.0], np.cumsum(energy)])
    # The sum of all bins must hold all of itself, whatever the rounding.
    wanted = held * total[-1] * (1 - 1e-12)
    for width in range(1, len(energy)):
        inside = total[width:] - total[:-width]
        if inside.max() >= wanted:
            first = int(np.flatnonzero(inside >= wanted)[0])
            return first, first + width
    return 0, len(energy)


def top_cells(values: ArrayLike, count: int, tie: ArrayLike) -> NDArray[np.bool_]:
    """The `count` cells [...] of highest value [...]; of equal cells those first whose `tie` [...] is least.

    >>> top_cells([0.5, 0.9, 0.5], 2, [1, 0, 2]).tolist()
    [True, True, False]
    """
    flat = np.asarray(values, dtype=np.float64).reshape(-1)
    order = np.lexsort((np.asarray(tie).reshape(-1), -flat))
    chosen = np.zeros(flat.size, dtype=bool)
    chosen[order[:count]] = True
    return chosen.reshape(np.shape(values))


def upper_half(values: ArrayLike) -> NDArray[np.bool_]:
    """Cells [...] at or above half way from the least to the largest value [...]; all cells where all are equal.

    >>> upper_half([0.0, 2.0, 4.0]).tolist()
    [False, True, True]
    """
    array = np.asarray(values, dtype=np.float64)
    low, high = array.min(), array.max()
    return np.asarray(array >= low + (high - low) / 2)


@metric(reads=ChosenCells, direction="higher", range=(0.0, 1.0))
def tf_iou(chosen: ArrayLike, truth: ArrayLike) -> float:
    """Intersection over union of the cells that a map marks and those in which the instrument sounds.

    `chosen` and `truth` [I, M, T] bool. Published (AIBA, arXiv 2509.20891). Raises UndefinedError where the truth of
    every instrument is empty.

    >>> tf_iou([[[True, True, False]]], [[[True, False, True]]])
    0.3333333333333333
    """
    return _mean_ratio(chosen, truth, lambda both, marked, true: both / (marked + true - both))


@metric(reads=ChosenCells, direction="higher", range=(0.0, 1.0))
def precision(chosen: ArrayLike, truth: ArrayLike) -> float:
    """Share of the cells that a map marks in which the instrument sounds; 0 where it marks none.

    `chosen` and `truth` [I, M, T] bool. Published (AIBA, arXiv 2509.20891). Raises UndefinedError where the truth of
    every instrument is empty.

    >>> precision([[[True, True, True, True]]], [[[True, False, False, False]]])
    0.25
    """
    return _mean_ratio(chosen, truth, lambda both, marked, true: both / max(marked, 1))


@metric(reads=ChosenCells, direction="higher", range=(0.0, 1.0))
def recall(chosen: ArrayLike, truth: ArrayLike) -> float:
    """Share of the cells in which the instrument sounds that a map marks.

    `chosen` and `truth` [I, M, T] bool. Published (AIBA, arXiv 2509.20891). Raises UndefinedError where the truth of
    every instrument is empty.

    >>> recall([[[True, True, True, False]]], [[[True, False, False, True]]])
    0.5
    """
    return _mean_ratio(chosen, truth, lambda both, marked, true: both / true)


@metric(reads=ChosenCells, direction="higher", range=(0.0, 1.0))
def f1(chosen: ArrayLike, truth: ArrayLike) -> float:
    """Harmonic mean of precision and recall of the cells that a map marks.

    `chosen` and `truth` [I, M, T] bool. Published (AIBA, arXiv 2509.20891). Raises UndefinedError where the truth of
    every instrument is empty.

    >>> f1([[[True, True, True, False]]], [[[True, False, False, False]]])
    0.5
    """
    return _mean_ratio(chosen, truth, lambda both, marked, true: 2 * both / (marked + true))


@metric(reads=Cells, direction="higher", range=(0.0, 1.0))
def tf_ap(maps: ArrayLike, truth: ArrayLike) -> float:
    """Average precision of a map's cells against the cells in which the instrument sounds.

    `maps` [I, M, T], `truth` [I, M, T] bool; equal cells share their precision, so that a constant map gets the truth's
    density. Raises UndefinedError where each instrument sounds in every cell or in none.

    >>> tf_ap([[[0.9, 0.8], [0.1, 0.2]]], [[[True, False], [True, False]]])
    0.75
    >>> tf_ap([[[0.5, 0.5], [0.5, 0.5]]], [[[True, False], [False, False]]])
    0.25
    """
    return _mean_precision(*_pair(maps, truth))


@metric(reads=TimedCells, direction="higher", range=(0.0, 1.0))
def time_ap(maps: ArrayLike, truth: ArrayLike) -> float:
    """Average precision of a map's frames (mean over bins) against the frames in which the instrument sounds at all.

    Arguments as for `tf_ap`. Ours. Raises UndefinedError where each instrument sounds in every frame or in none.

    >>> time_ap([[[0.9, 0.2], [0.1, 0.2]]], [[[True, False], [False, False]]])
    1.0
    """
    values, wanted = _pair(maps, truth)
    return _mean_precision(values.mean(1), np.asarray(wanted.any(1)))


@metric(reads=Cells, direction="higher", range=(0.0, 1.0))
def frequency_ap(maps: ArrayLike, truth: ArrayLike) -> float:
    """Average precision of a map's bins (mean over frames) against the bins in which the instrument sounds at all.

    Arguments as for `tf_ap`. Ours. Raises UndefinedError where each instrument sounds in every bin or in none.

    >>> frequency_ap([[[0.9, 0.2], [0.1, 0.2]]], [[[False, False], [True, False]]])
    0.5
    """
    values, wanted = _pair(maps, truth)
    return _mean_precision(values.mean(2), np.asarray(wanted.any(2)))


@metric(reads=Cells, direction="higher", range=(-1.0, 1.0))
def profile_corr(maps: ArrayLike, truth: ArrayLike) -> float:
    """Pearson correlation of time-averaged frequency profiles: the map's, and that of the sounding cells.

    Arguments as for `tf_ap`; published (AIBA, arXiv 2509.20891). A map with a flat profile gets 0. Raises
    UndefinedError where every true profile is flat.

    >>> round(profile_corr([[[1.0, 1.0], [0.0, 2.0], [4.0, 2.0]]], [[[0, 0], [0, 0], [1, 1]]]), 12)
    1.0
    """
    values, wanted = _pair(maps, truth)
    return mean_correlation(values.mean(2), wanted.mean(2), "every instrument's frequency profile is flat")


@metric(reads=Cells, direction="higher", range=(0.0, 1.0))
def tf_pointing(maps: ArrayLike, truth: ArrayLike, *, tolerance: Annotated[int, Field(ge=0, le=1000)] = 0) -> float:
    """Share of instruments whose map peaks in a cell in which it sounds; cells that tie share the point.

    Arguments as for `tf_ap`; a peak counts that is at most `tolerance` bins and frames away (pointing game, Zhang et
    al., arXiv 1608.00507). Raises UndefinedError where each instrument sounds in every cell or in none.

    >>> tf_pointing([[[0.9, 0.9], [0.1, 0.1]]], [[[True, False], [False, False]]])
    0.5
    >>> tf_pointing([[[0.9, 0.9], [0.1, 0.1]]], [[[True, False], [False, False]]], tolerance=1)
    1.0
    """
    values, wanted = _pair(maps, truth)
    near, rows = _widened(wanted, tolerance), _informative(wanted)
    peak = values == values.max((1, 2), keepdims=True)
    return float(((peak & near).sum((1, 2)) / peak.sum((1, 2)))[rows].mean())


@metric(reads=SoundingCells, direction="none", range=(0.0, 1.0))
def truth_density(truth: ArrayLike) -> float:
    """Share of cells in which an instrument sounds: what a constant map gets of average precision.

    `truth` [I, M, T] bool. A description of the item, not a merit.

    >>> truth_density([[[True, False], [False, False]]])
    0.25
    """
    return float(real("truth", truth, 3).mean())


def correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float | None:
    """Pearson correlation of two arrays of one shape: 0 where `a` is constant, None where `b` is."""
    x, y = a - a.mean(), b - b.mean()
    # What rounding leaves of a constant is no variation.
    if np.abs(y).max() <= 1e-12 * np.abs(b).max():
        return None
    if np.abs(x).max() <= 1e-12 * np.abs(a).max():
        return 0.0
    return float(np.clip((x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum()), -1.0, 1.0))


def mean_correlation(values: NDArray[np.float64], wanted: NDArray[np.float64], undefined: str) -> float:
    """Mean over rows [I, ...] of their correlations; raises UndefinedError, with that reason, where none is defined."""
    found = [correlation(a, b) for a, b in zip(values, wanted, strict=True)]
    known = [each for each in found if each is not None]
    if not known:
        raise UndefinedError(undefined)
    return float(np.mean(known))


def _mean_ratio(chosen: ArrayLike, truth: ArrayLike, ratio: Callable[[int, int, int], float]) -> float:
    """Mean over instruments of a ratio of how many cells are marked and true, marked, and true."""
    marked, true = np.asarray(chosen, dtype=bool), np.asarray(truth, dtype=bool)
    if marked.ndim != 3 or not marked.size:
        raise ValueError(f"chosen must have 3 dimensions and be not empty; found shape {list(marked.shape)}")
    same_shape(chosen=marked, truth=true)
    rows = [(int((a & b).sum()), int(a.sum()), int(b.sum())) for a, b in zip(marked, true, strict=True) if b.any()]
    if not rows:
        raise UndefinedError("no instrument of this item sounds in any cell")
    return float(np.mean([ratio(*row) for row in rows]))


def _mean_precision(values: NDArray[np.float64], wanted: NDArray[np.bool_]) -> float:
    """Mean over instruments of the average precision of values [I, ...] against what is wanted [I, ...]."""
    rows = np.flatnonzero(_informative(wanted)).tolist()
    return float(np.mean([average_precision(values[i].reshape(-1), wanted[i].reshape(-1)) for i in rows]))


def _informative(wanted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which instruments [I] sound in some but not in all places [I, ...]; raises UndefinedError where none does."""
    flat = wanted.reshape(len(wanted), -1)
    found: NDArray[np.bool_] = np.asarray(flat.any(1) & ~flat.all(1))
    if not found.any():
        raise UndefinedError("each instrument of this item sounds everywhere or nowhere")
    return found


def _widened(wanted: NDArray[np.bool_], tolerance: int) -> NDArray[np.bool_]:
    """Cells [I, M, T] that are at most so many bins and frames from a wanted one."""
    found = wanted
    for axis in (1, 2):
        padded = np.pad(found, [(tolerance, tolerance) if axis == each else (0, 0) for each in range(3)])
        shifted = [padded.take(range(step, step + found.shape[axis]), axis) for step in range(2 * tolerance + 1)]
        found = np.any(shifted, axis=0)
    return np.asarray(found)


def _pair(maps: ArrayLike, truth: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    values, wanted = real("maps", maps, 3), np.asarray(truth, dtype=bool)
    same_shape(maps=values, truth=wanted)
    return values, wanted
