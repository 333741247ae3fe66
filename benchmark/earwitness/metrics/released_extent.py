"""Extent as the code that was released with SPES measures it, beside the metrics of `extent`.

hlt-mt/FBK-fairseq, `examples/speech_to_text/xai_metrics/size_score.py`: what lies at a threshold is counted, so that
all of a map is at 0; and so is the diagonal of a prefix map, where theirs has the last of the earlier tokens, its first
column being the token that opens the transcript. Their score of a corpus is the mean of these of its items.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from earwitness.metrics import metric
from earwitness.metrics.arrays import real
from earwitness.metrics.responses.speech import PrefixCells, SpectrogramCells

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@metric(reads=SpectrogramCells, direction="none", range=(0.0, 100.0))
def size_spectrogram_released(cells: ArrayLike) -> float:
    """Share of a map's cells at or above a threshold, as the area over thresholds 0, .05, ..., 1, from 0 to 100.

    `cells` [O, T, M] in [0, 1]. A description, not a merit.

    >>> round(size_spectrogram_released([[[1.0, 0.0]]]), 6)
    51.25
    """
    return _area_at_thresholds(real("cells", cells, 3).ravel())


@metric(reads=PrefixCells, direction="none", range=(0.0, 100.0))
def size_prefix_released(cells: ArrayLike) -> float:
    """Share of a prefix map's entries, its diagonal's among them, at or above a threshold, as the area, from 0 to 100.

    `cells` [O, O] in [0, 1], of which the entries up to the diagonal count.

    >>> round(size_prefix_released([[0.0, 0.0], [0.5, 0.0]]), 6)
    19.166667
    """
    prefix = real("cells", cells, 2)
    return _area_at_thresholds(prefix[np.tril_indices(len(prefix))])


def _area_at_thresholds(values: NDArray[np.float64]) -> float:
    """Area over thresholds of the share of values [X] at or above each, in percent; as single precision, as theirs."""
    single = values.astype(np.float32)
    reached = np.array([(single >= np.float32(percent / 100)).mean() for percent in range(0, 101, 5)])
    return float(100 * (reached[1:] + reached[:-1]).mean() / 2)
