"""Agreement of speech maps with when words and phonemes are said, and with the word that a covered one agrees with
(data truth: plausibility, not faithfulness)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from earwitness.metrics import metric
from earwitness.metrics.arrays import UndefinedError, real
from earwitness.metrics.precision import average_precision
from earwitness.metrics.responses.speech import FrameMeans, FramePeaks, PrefixTellers

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@metric(reads=FrameMeans, direction="higher", range=(0.0, 1.0))
def interval_ap(frames: ArrayLike, inside: ArrayLike) -> float:
    """Average precision of a map's frames against the frames in which its word is said, mean over tokens.

    `frames` [O, T] each token's map, mean over mel bins; `inside` [O, T] bool. Raises UndefinedError where no token's
    interval is known. Ours.

    >>> interval_ap([[0.9, 0.8, 0.1]], [[True, True, False]])
    1.0
    """
    values, wanted = _frames(frames, inside)
    return float(np.mean([average_precision(row, known) for row, known in zip(values, wanted, strict=True)]))


@metric(reads=FramePeaks, direction="higher", range=(0.0, 1.0))
def pointing(frames: ArrayLike, inside: ArrayLike) -> float:
    """Share of tokens whose map peaks in a frame in which the word is said; frames that tie share the point.

    Arguments as for `interval_ap`; `frames` [O, T] each token's map, largest over mel bins (pointing game,
    Zhang et al., arXiv 1608.00507). Raises UndefinedError where no token's interval is known.

    >>> pointing([[0.9, 0.1], [0.5, 0.5]], [[True, False], [True, False]])
    0.75
    """
    values, wanted = _frames(frames, inside)
    peak = values == values.max(1, keepdims=True)
    return float(((peak & wanted).sum(1) / peak.sum(1)).mean())


@metric(reads=FrameMeans, direction="higher", range=(0.0, 1.0))
def mass_inside(frames: ArrayLike, inside: ArrayLike) -> float:
    """Share of a map's mass in the frames in which its word is said, mean over tokens.

    Arguments as for `interval_ap`. A map without any mass counts as spread evenly. Raises UndefinedError where no
    token's interval is known. Ours.

    >>> mass_inside([[3.0, 1.0]], [[True, False]])
    0.75
    """
    values, wanted = _frames(frames, inside)
    total = values.sum(1)
    spread = np.where(total[:, None] > 0, values, 1.0)
    return float(((spread * wanted).sum(1) / spread.sum(1)).mean())


@metric(reads=PrefixTellers, direction="higher", range=(0.0, 1.0))
def prefix_ap(prefix: ArrayLike, tellers: ArrayLike) -> float:
    """Average precision of a prefix map against the earlier tokens that a word agrees with whose own sound is covered.

    `prefix` [O, O], row k the map of the tokens before token k; `tellers` [O, O] bool, the tokens that token k agrees
    with. Mean over tokens with some that do and some that do not; raises UndefinedError where there is none. Ours.

    >>> round(prefix_ap([[0, 0, 0], [0, 0, 0], [0.2, 0.7, 0]], [[False] * 3, [False] * 3, [True, False, False]]), 12)
    0.5
    """
    values, wanted = real("prefix", prefix, 2), np.asarray(tellers, dtype=bool)
    if values.shape != wanted.shape or values.shape[0] != values.shape[1]:
        raise ValueError(f"prefix {list(values.shape)} and tellers {list(wanted.shape)} must be of one shape [O, O]")
    rows = [(values[k, :k], wanted[k, :k]) for k in range(len(values))]
    found = [average_precision(row, known) for row, known in rows if known.any() and not known.all()]
    if not found:
        raise UndefinedError("no token of this transcript is told by one of several earlier tokens")
    return float(np.mean(found))


def _frames(frames: ArrayLike, inside: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The tokens [n, T] whose interval is known: some frames are inside, and some are not."""
    values, wanted = real("frames", frames, 2), np.asarray(inside, dtype=bool)
    if values.shape != wanted.shape:
        raise ValueError(f"inside must have the shape of frames {list(values.shape)}; found {list(wanted.shape)}")
    known = wanted.any(1) & ~wanted.all(1)
    if not known.any():
        raise UndefinedError("no token of this transcript has a known interval")
    return values[known], wanted[known]
