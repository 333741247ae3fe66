"""Fidelity: what a judge hears in the sound that is generated under an explanation, and under its complement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from earwitness.metrics import metric
from earwitness.metrics.arrays import real, same_shape
from earwitness.metrics.responses.prompt import FreshSound, KeptSound, RemovedSound

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

EPSILON = 1e-6
"""Added to every probability before the logarithm, as in audiocraft's KL divergence (published)."""


@metric(reads=KeptSound, direction="lower", range=(-1.0, 1.0))
def fid_f(original: ArrayLike, perturbed: ArrayLike) -> float:
    """Loss of the judge's confidence when only the explanation's words are kept: p0[c] - pF[c], c = argmax p0.

    `original` and `perturbed` are the judge's softmax outputs [C]. The score is named in AudioGenX
    (arXiv 2502.00459), whose released code does not contain it; the formula is ours. Raises ValueError on arrays that
    are no probabilities.

    >>> round(fid_f([0.9, 0.1], [0.7, 0.3]), 3)
    0.2
    """
    return _drop(original, perturbed)


@metric(reads=RemovedSound, direction="higher", range=(-1.0, 1.0))
def fid_cf(original: ArrayLike, perturbed: ArrayLike) -> float:
    """Loss of the judge's confidence when the explanation's words are removed: p0[c] - pCF[c], c = argmax p0.

    `original` and `perturbed` are the judge's softmax outputs [C]. Source as for `fid_f`.

    >>> round(fid_cf([0.9, 0.1], [0.2, 0.8]), 3)
    0.7
    """
    return _drop(original, perturbed)


@metric(reads=FreshSound, direction="none", range=(-1.0, 1.0))
def fid_noise(original: ArrayLike, perturbed: ArrayLike) -> float:
    """Noise floor of fid: p0[c] - p1[c], p1 from an unmasked regeneration under fresh noise.

    `original` and `perturbed` are the judge's softmax outputs [C]. Ours.

    >>> fid_noise([0.9, 0.1], [0.9, 0.1])
    0.0
    """
    return _drop(original, perturbed)


@metric(reads=KeptSound, direction="lower", range=(0.0, float("inf")))
def kl_f(original: ArrayLike, perturbed: ArrayLike) -> float:
    """How far the judge's answer moves when only the explanation's words are kept: KL(pF || p0), in nats.

    KL(p || q) = sum_c p[c] ln(p[c] / q[c]), after 1e-6 is added to every probability and both are normalised again, so
    that it is never negative. `original` and `perturbed` are the judge's softmax outputs [C]. AudioGenX
    (arXiv 2502.00459), which takes the mean over three sampled repeats; here each repeat is a row.

    >>> round(kl_f([0.5, 0.5], [1.0, 0.0]), 4)  # ln 2
    0.6931
    """
    return _divergence(original, perturbed)


@metric(reads=RemovedSound, direction="higher", range=(0.0, float("inf")))
def kl_cf(original: ArrayLike, perturbed: ArrayLike) -> float:
    """How far the judge's answer moves when the explanation's words are removed: KL(pCF || p0), in nats.

    `original` and `perturbed` are the judge's softmax outputs [C]. Formula and source as for `kl_f`.

    >>> kl_cf([0.5, 0.5], [0.5, 0.5])
    0.0
    """
    return _divergence(original, perturbed)


@metric(reads=FreshSound, direction="none", range=(0.0, float("inf")))
def kl_noise(original: ArrayLike, perturbed: ArrayLike) -> float:
    """Noise floor of kl: KL(p1 || p0), p1 from an unmasked regeneration under fresh noise, in nats.

    `original` and `perturbed` are the judge's softmax outputs [C]. Formula as for `kl_f`; the floor is ours.

    >>> kl_noise([0.5, 0.5], [0.5, 0.5])
    0.0
    """
    return _divergence(original, perturbed)


def _drop(original: ArrayLike, perturbed: ArrayLike) -> float:
    p0, p1 = _probabilities(original, perturbed)
    top = int(p0.argmax())
    return float(p0[top] - p1[top])


def _divergence(original: ArrayLike, perturbed: ArrayLike) -> float:
    p0, p1 = _probabilities(original, perturbed)
    q, p = (p0 + EPSILON) / (p0 + EPSILON).sum(), (p1 + EPSILON) / (p1 + EPSILON).sum()
    return max(0.0, float((p * np.log(p / q)).sum()))


def _probabilities(original: ArrayLike, perturbed: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    p0, p1 = real("original", original, 1), real("perturbed", perturbed, 1)
    same_shape(original=p0, perturbed=p1)
    for name, p in (("original", p0), ("perturbed", p1)):
        if p.min() < 0 or abs(p.sum() - 1) > 1e-3:
            raise ValueError(f"{name} must be probabilities that sum to 1; found minimum {p.min():g}, sum {p.sum():g}")
    return p0, p1
