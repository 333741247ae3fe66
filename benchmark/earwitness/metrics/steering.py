"""Steering: whether moving one factor through a dictionary moves that factor in the sound, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from earwitness.metrics import metric
from earwitness.metrics.arrays import UndefinedError, real
from earwitness.metrics.responses.concept import MovedFactors

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@metric(reads=MovedFactors, direction="higher", range=(-1.0, 1.0))
def steer(moved: ArrayLike, own: int) -> float:
    """What of the movement is the steered factor's, in the direction that was asked: its own over all factors' sizes.

    `moved` [n, K] change of each factor in each clip in standard deviations of the training clips, positive where it
    went as the steered factor was asked to; `own` the steered factor's column. sum of own / sum of |all|: 1 where
    nothing else moved, 1 / K where all moved alike, below 0 where it went the other way. Estimates that failed (NaN)
    leave their clip out. Ours. Raises UndefinedError where no clip is left, or nothing moved.

    >>> steer([[0.5, 0.25, -0.25]], 0)
    0.5
    """
    changes = np.asarray(moved, dtype=np.float64)
    if changes.ndim != 2 or not 0 <= own < changes.shape[1]:
        raise ValueError(f"moved must be [n, K] with column {own}; found shape {list(changes.shape)}")
    known = changes[np.isfinite(changes).all(1)]
    if not len(known):
        raise UndefinedError("the estimators heard none of the steered clips")
    total = np.abs(real("moved", known, 2)).sum()
    if total == 0:
        raise UndefinedError("steering moved nothing")
    return float(known[:, own].sum() / total)
