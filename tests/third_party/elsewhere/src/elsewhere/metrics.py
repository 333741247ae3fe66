"""A metric: how far the judge's answers move."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from earwitness.metrics import metric
from earwitness.metrics.arrays import real, same_shape
from earwitness.metrics.responses.prompt import RemovedSound


@metric(reads=RemovedSound, direction="higher", range=(0.0, 1.0))
def elsewhere_shift(original: ArrayLike, perturbed: ArrayLike, *, power: float = 1.0) -> float:
    """Total variation between a judge's answers, to a power.

    `original` [C] and `perturbed` [C] are distributions.

    >>> elsewhere_shift([1.0, 0.0], [0.25, 0.75])
    0.75
    """
    p, q = real("original", original, 1), real("perturbed", perturbed, 1)
    same_shape(original=p, perturbed=q)
    return float((np.abs(p / p.sum() - q / q.sum()).sum() / 2) ** power)
