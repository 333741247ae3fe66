"""Probes: how much of a factor can be read off features by a linear map (data truth of the concept track).

Features are a clip's, pooled over its frames: their mean, as published, or their root mean square (ours), since the
mean of a wave says nothing of it. Probes are fitted on training clips, whose factors no explainer sees, and tried on
held-out clips, no feature of which is taken to go beyond the training clips': one that hardly any of those activates
would, once standardised, outweigh all others in a held-out clip that does. That a factor can be read off says nothing
of what the features are: a wide untrained dictionary probes well, too.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from earwitness.metrics import metric
from earwitness.metrics.arrays import UndefinedError, real
from earwitness.metrics.responses.concept import ClipFeatures

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

PENALTIES = np.logspace(-4, 6, 21)
"""Of ridge regression, relative to standardised features; the one with the least leave-one-out error is taken."""
Features = Annotated[int, Field(ge=1)]
"""How many features a probe reads."""
Classes = Annotated[int, Field(ge=0)]
"""Equal-width bins of a factor; 0 takes each whole value as a class."""
BINS = 20
"""Equal-width bins of a factor, of the published probes (arXiv 2510.23802)."""


@metric(reads=ClipFeatures, direction="higher", range=(-1.0, 1.0))
def probe_r2(train: ArrayLike, known: ArrayLike, test: ArrayLike, wanted: ArrayLike) -> float:
    """Share of a factor's variance over held-out clips that ridge regression on all features explains, at least -1.

    `train` [n, C] and `test` [m, C] features, `known` [n] and `wanted` [m] the factor. The penalty is chosen by
    leave-one-out error on training clips. Where the training clips are `correlated`, the factor moves with another one
    in them, and not in the held-out clips: a probe that reads one for the other falls. Raises UndefinedError where the
    factor does not vary.

    >>> round(probe_r2([[0.0], [1.0], [2.0], [3.0]], [0.0, 1.0, 2.0, 3.0], [[1.5], [0.5]], [1.5, 0.5]), 2)
    1.0
    """
    x, y, z, t = _checked(train, known, test, wanted)
    return _r2(ridge(x, y, z), t)


@metric(reads=ClipFeatures, direction="higher", range=(-1.0, 1.0))
def sparse_probe_r2(
    train: ArrayLike, known: ArrayLike, test: ArrayLike, wanted: ArrayLike, *, k: Annotated[int, Field(ge=1)] = 1
) -> float:
    """`probe_r2` of the best k features: chosen one by one on training clips (orthogonal matching pursuit).

    Arguments and errors as for `probe_r2`; Gurnee et al., arXiv 2305.01610, probe with the best few neurons.

    >>> round(sparse_probe_r2([[0.0, 5.0], [1.0, 3.0], [2.0, 4.0], [3.0, 5.0]], [0.0, 1.0, 2.0, 3.0],
    ...                       [[1.5, 9.0], [0.5, 0.0]], [1.5, 0.5]), 2)
    1.0
    """
    x, y, z, t = _checked(train, known, test, wanted)
    chosen = pursuit(x, y, k)
    return _r2(ridge(x[:, chosen], y, z[:, chosen]), t)


@metric(reads=ClipFeatures, direction="higher", range=(0.0, 1.0))
def probe_accuracy(
    train: ArrayLike,
    known: ArrayLike,
    test: ArrayLike,
    wanted: ArrayLike,
    *,
    classes: Classes = BINS,
) -> float:
    """Share of held-out clips whose class a linear probe names, as published (arXiv 2510.23802).

    Arguments and errors as for `probe_r2`. Classes are `classes` equal-width bins between the factor's least and
    largest value over training clips; `known` and `wanted` of pitch are whole semitones and `classes` is 0, which
    takes each value as a class. The probe is logistic regression, as published; its penalty and its 300 steps are ours.

    >>> probe_accuracy([[0.0], [0.1], [1.0], [1.1]], [0.0, 0.0, 1.0, 1.0], [[0.05], [1.05]], [0.0, 1.0], classes=2)
    1.0
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    x, y, z, t = _checked(train, known, test, wanted)
    labels, right = (_classes(values, y, classes) for values in (y, t))
    if len(set(labels.tolist())) < 2:
        raise UndefinedError("all training clips are of one class")
    mean, scale = _scale(x)
    with warnings.catch_warnings():
        # Steps are bounded on purpose: a probe of noise would go on for long.
        warnings.simplefilter("ignore", ConvergenceWarning)
        probe = LogisticRegression(C=1.0, max_iter=300).fit((x - mean) / scale, labels)
    return float((probe.predict((z - mean) / scale) == right).mean())


def pursuit(features: NDArray[np.float64], factor: NDArray[np.float64], k: int) -> list[int]:
    """Columns of features [n, C] that explain a factor [n]: at most k, each the best beside those before it."""
    mean, scale = _scale(features)
    x, residual = (features - mean) / scale, factor - factor.mean()
    # A constant feature explains nothing.
    alive = np.ptp(features, axis=0) > 0
    chosen: list[int] = []
    while len(chosen) < min(k, int(alive.sum())):
        gain = np.where(alive, np.abs(x.T @ residual), -1.0)
        gain[chosen] = -1.0
        chosen.append(int(gain.argmax()))
        weights = np.linalg.lstsq(x[:, chosen], factor - factor.mean(), rcond=None)[0]
        residual = factor - factor.mean() - x[:, chosen] @ weights
    return chosen


def ridge(x: NDArray[np.float64], y: NDArray[np.float64], z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Predictions [m] for features z [m, C] of ridge regression fitted on x [n, C] and y [n]."""
    mean, scale = _scale(x)
    u, s, v = np.linalg.svd((x - mean) / scale, full_matrices=False)
    centred = y - y.mean()
    along = u.T @ centred
    errors = []
    for penalty in PENALTIES:
        shrunk = s**2 / (s**2 + penalty)
        left = centred - u @ (shrunk * along)
        # The intercept is fitted, too, which takes 1 / n of each clip's own weight.
        own = (u**2) @ shrunk + 1 / len(y)
        errors.append(np.mean((left / np.maximum(1 - own, 1e-9)) ** 2))
    penalty = PENALTIES[int(np.argmin(errors))]
    weights = v.T @ (s / (s**2 + penalty) * along)
    return np.asarray((z - mean) / scale @ weights + y.mean())


def _scale(x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation [C] of features [n, C]; 1 where one is constant."""
    deviation = x.std(0)
    return x.mean(0), np.where(deviation > 1e-12, deviation, 1.0)


def _r2(found: NDArray[np.float64], wanted: NDArray[np.float64]) -> float:
    """At least -1: a probe that is worse than twice a constant is no further from one that works."""
    spread = np.square(wanted - wanted.mean()).sum()
    return float(max(-1.0, 1 - np.square(wanted - found).sum() / spread))


def _classes(values: NDArray[np.float64], known: NDArray[np.float64], classes: int) -> NDArray[np.int64]:
    if not classes:
        return np.round(values).astype(np.int64)
    edges = np.linspace(known.min(), known.max(), classes + 1)[1:-1]
    return np.digitize(values, edges).astype(np.int64)


def _checked(train: ArrayLike, known: ArrayLike, test: ArrayLike, wanted: ArrayLike) -> tuple[NDArray[np.float64], ...]:
    x, z = real("train", train, 2), real("test", test, 2)
    y, t = real("known", known, 1), real("wanted", wanted, 1)
    if len(x) != len(y) or len(z) != len(t) or x.shape[1] != z.shape[1]:
        raise ValueError(
            f"train {list(x.shape)}, known {list(y.shape)}, test {list(z.shape)}, wanted {list(t.shape)} do not agree"
        )
    if np.ptp(y) == 0 or np.ptp(t) == 0:
        raise UndefinedError("the factor has one value in these clips")
    return x, y, np.clip(z, x.min(0), x.max(0)), t
