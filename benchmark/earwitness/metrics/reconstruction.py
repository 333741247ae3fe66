"""What a dictionary is like, whatever it means: how well it reconstructs, how sparse it is, how much of it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from earwitness.metrics import metric
from earwitness.metrics.arrays import UndefinedError, real, same_shape
from earwitness.metrics.responses.concept import AllFeatures, HeldOutFeatures, RebuiltLatents, TwoFits

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

ALIVE = 1e-8
"""Size below which a feature's activation is none, and standard deviation below which a feature does not vary."""


@metric(reads=RebuiltLatents, direction="lower", range=(0.0, float("inf")))
def fvu(latents: ArrayLike, rebuilt: ArrayLike) -> float:
    """Fraction of the latents' variance that is unexplained: squared error over squared distance from the mean.

    `latents` and `rebuilt` [N, D] over all frames of held-out clips. Raises UndefinedError where the latents are
    constant.

    >>> fvu([[0.0, 0.0], [2.0, 2.0]], [[0.0, 0.0], [2.0, 1.0]])
    0.25
    """
    x, y = real("latents", latents, 2), real("rebuilt", rebuilt, 2)
    same_shape(latents=x, rebuilt=y)
    spread = np.square(x - x.mean(0)).sum()
    if spread <= ALIVE:
        raise UndefinedError("the latents of these clips are constant")
    return float(np.square(x - y).sum() / spread)


@metric(reads=HeldOutFeatures, direction="none", range=(0.0, float("inf")))
def l0(features: ArrayLike) -> float:
    """Mean number of active features of a frame; a description, not a merit.

    `features` [N, C]; one is active where it is not 0.

    >>> l0([[1.0, 0.0, 2.0], [0.0, 0.0, 3.0]])
    1.5
    """
    return float((np.abs(real("features", features, 2)) > ALIVE).sum(1).mean())


@metric(reads=AllFeatures, direction="lower", range=(0.0, 1.0))
def dead(features: ArrayLike) -> float:
    """Share of features that are active in no frame.

    `features` [N, C].

    >>> dead([[1.0, 0.0], [2.0, 0.0]])
    0.5
    """
    return float((np.abs(real("features", features, 2)) <= ALIVE).all(0).mean())


@metric(reads=TwoFits, direction="higher", range=(0.0, 1.0))
def stability(first: ArrayLike, second: ArrayLike) -> float:
    """Mean correlation of features with their partners in a dictionary that was fitted under another seed.

    `first` [N, C] and `second` [N, C'] on the same frames. Each feature of either has one partner at most, so that the
    sum of correlations is largest (Hungarian method; mean maximum cosine similarity, Sharkey et al. 2022, lets many
    have the same one); a feature without a partner counts 0, and features that never vary are left out. Raises
    UndefinedError where none varies.

    >>> round(stability([[0.0, 1.0], [1.0, 0.0], [2.0, 5.0]], [[1.0, 0.0], [0.0, 2.0], [5.0, 4.0]]), 12)
    1.0
    """
    from scipy.optimize import linear_sum_assignment

    one, other = (_standardised(real(name, each, 2)) for name, each in (("first", first), ("second", second)))
    if not one.shape[1] or not other.shape[1]:
        raise UndefinedError("no feature varies over the held-out frames")
    correlation = np.clip(one.T @ other / len(one), 0.0, 1.0)
    rows, columns = linear_sum_assignment(-correlation)
    return float(correlation[rows, columns].sum() / max(correlation.shape))


def _standardised(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Features [N, c] that vary, of mean 0 and variance 1."""
    deviation = features.std(0)
    alive = deviation > ALIVE
    return np.asarray((features[:, alive] - features[:, alive].mean(0)) / deviation[alive])
