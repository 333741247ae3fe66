"""Judge-free twins of kl: the generator's own distribution over codes, with and without the mask."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from earwitness.metrics import metric
from earwitness.metrics.arrays import real, same_shape
from earwitness.metrics.responses.prompt import KeptLogits, RemovedLogits

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@metric(reads=KeptLogits, direction="lower", range=(0.0, float("inf")))
def logit_kl_f(original: ArrayLike, perturbed: ArrayLike) -> float:
    """How far the generator's distribution moves when only the explanation's words are kept, in nats a code.

    mean over k, f of KL(softmax perturbed[k, f] || softmax original[k, f]); both are logits [K, F, V] that are sampled
    from (guidance and temperature applied), teacher-forced on the original codes. Ours; the direction of the divergence
    is that of `kl_f`.

    >>> round(logit_kl_f([[[0.0, 0.0]]], [[[0.0, 100.0]]]), 4)  # ln 2
    0.6931
    """
    return _mean_divergence(original, perturbed)


@metric(reads=RemovedLogits, direction="higher", range=(0.0, float("inf")))
def logit_kl_cf(original: ArrayLike, perturbed: ArrayLike) -> float:
    """How far the generator's distribution moves when the explanation's words are removed, in nats a code.

    Arrays and formula as for `logit_kl_f`.

    >>> logit_kl_cf([[[1.0, 2.0]]], [[[1.0, 2.0]]])
    0.0
    """
    return _mean_divergence(original, perturbed)


def _mean_divergence(original: ArrayLike, perturbed: ArrayLike) -> float:
    a, b = real("original", original, 3), real("perturbed", perturbed, 3)
    same_shape(original=a, perturbed=b)
    q, p = _log_softmax(a), _log_softmax(b)
    return max(0.0, float((np.exp(p) * (p - q)).sum(-1).mean()))


def _log_softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    shifted = logits - logits.max(-1, keepdims=True)
    log_softmax: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return log_softmax
