"""Extent: how much of the spectrogram, and of the tokens before, a map marks; descriptions, not merits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from earwitness.metrics import metric
from earwitness.metrics.arrays import UndefinedError, real
from earwitness.metrics.responses.speech import PrefixCells, SpectrogramCells

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@metric(reads=SpectrogramCells, direction="none", range=(0.0, 100.0))
def size_spectrogram(cells: ArrayLike) -> float:
    """Share of a map's cells above a threshold, as the area over thresholds 0, .05, ..., 1, from 0 to 100.

    `cells` [O, T, M] in [0, 1]; published (SPES, arXiv 2411.01710). A description, not a merit.

    >>> size_spectrogram([[[1.0, 0.0]]])
    48.75
    """
    return _threshold_area(real("cells", cells, 3))


@metric(reads=PrefixCells, direction="none", range=(0.0, 100.0))
def size_prefix(cells: ArrayLike) -> float:
    """Share of a prefix map's entries above a threshold, as the area over thresholds 0, .05, ..., 1, from 0 to 100.

    `cells` [O, O] in [0, 1], of which the entries below the diagonal count. Raises UndefinedError for one token.

    >>> size_prefix([[0.0, 0.0], [0.5, 0.0]])
    47.5
    """
    prefix = real("cells", cells, 2)
    below = prefix[np.tril_indices(len(prefix), -1)]
    if not below.size:
        raise UndefinedError("a transcript of one token has no prefix")
    return _threshold_area(below)


def _threshold_area(values: NDArray[np.float64]) -> float:
    thresholds = np.linspace(0, 1, 21)
    above = np.array([(values > threshold).mean() for threshold in thresholds])
    return float(100 * (above[1:] + above[:-1]).mean() / 2)
