"""Agreement with truth: what the sound was made of (data truth), what intervention on the model shows (model truth)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from earwitness.metrics import metric
from earwitness.metrics.arrays import UndefinedError, real, same_shape
from earwitness.metrics.precision import average_precision
from earwitness.metrics.responses.prompt import WordIntervals, WordRoles, WordShapley

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@metric(reads=WordRoles, direction="higher", range=(0.0, 1.0))
def word_ap(scores: ArrayLike, relevant: ArrayLike) -> float:
    """Average precision of the words' scores against the words that made the sound (data truth).

    AP = sum_t (R_t - R_{t-1}) P_t over the distinct scores t from high to low, so that equal scores share their
    precision and a constant explanation gets the share of relevant words. `scores` [W] (mean over frames, maximum
    over a word's tokens), `relevant` [W] bool: words of these roles that act on the frames asked for. Raises
    UndefinedError where no word, or every word, is relevant.

    >>> word_ap([0.9, 0.1, 0.5], [True, False, False])
    1.0
    >>> word_ap([0.5, 0.5], [True, False])
    0.5
    """
    values, wanted = real("scores", scores, 1), np.asarray(relevant, dtype=bool)
    same_shape(scores=values, relevant=wanted)
    if not wanted.any():
        raise UndefinedError("no word of this prompt has such a role")
    if wanted.all():
        raise UndefinedError("every word of this prompt has such a role")
    return average_precision(values, wanted)


@metric(reads=WordIntervals, direction="higher", range=(0.0, 1.0))
def interval_top1(weights: ArrayLike, intervals: ArrayLike, times: ArrayLike) -> float:
    """Share of frames inside one event alone at which the top-weighted class word is that event's (data truth).

    `weights` [F, W] of the class words in the frames asked for, `intervals` [W, 2] start and stop in seconds of the
    event that each speaks of, `times` [F] seconds at the middle of each frame. Words with one interval speak of one
    event. A tie for the top counts by the share of the tied words that are the event's. Ours. Raises UndefinedError
    where there are fewer than two events, or no frame lies in one event alone.

    >>> interval_top1([[0.9, 0.1], [0.8, 0.2]], [[0.0, 1.0], [1.0, 2.0]], [0.5, 1.5])
    0.5
    """
    w, spans, t = real("weights", weights, 2), real("intervals", intervals, 2), real("times", times, 1)
    if w.shape != (len(t), len(spans)) or spans.shape[1] != 2:
        raise ValueError(f"weights {list(w.shape)}, intervals {list(spans.shape)}, times {list(t.shape)} do not agree")
    events, owner = np.unique(spans, axis=0, return_inverse=True)
    if len(events) < 2:
        raise UndefinedError("fewer than two events sound")
    inside = (t[:, None] >= events[:, 0]) & (t[:, None] < events[:, 1])
    alone = inside.sum(1) == 1
    if not alone.any():
        raise UndefinedError("no frame lies in one event alone")
    top = w == w.max(1, keepdims=True)
    right = top & inside[:, owner.reshape(-1)]
    return float((right.sum(1) / top.sum(1))[alone].mean())


@metric(reads=WordShapley, direction="higher", range=(-1.0, 1.0), defined_by=("kernel_shap",))
def shapley_spearman(weights: ArrayLike, shapley: ArrayLike) -> float:
    """Spearman correlation of the words' weights with their exact Shapley values (model truth).

    The game is the teacher-forced log-likelihood of the original codes over all subsets of the words. `weights` [W]
    (mean over frames, sum over a word's tokens), `shapley` [W] in nats. Equal weights share their mean rank; constant
    weights put the words in no order and get 0. Ours. Raises UndefinedError where there is one word, or all Shapley
    values are equal.

    >>> round(shapley_spearman([0.1, 0.2, 0.9], [-1.0, 2.0, 30.0]), 12)
    1.0
    """
    a, b = real("weights", weights, 1), real("shapley", shapley, 1)
    same_shape(weights=a, shapley=b)
    if len(a) < 2:
        raise UndefinedError("a prompt of one word has no order of words")
    x, y = _centred_ranks(a), _centred_ranks(b)
    if not y.any():
        raise UndefinedError("all words have the same Shapley value")
    if not x.any():
        return 0.0
    return float(np.clip((x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum()), -1.0, 1.0))


def _centred_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks with ties at their mean rank, minus the mean."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(counts) - (counts - 1) / 2
    return np.asarray(mean_rank[inverse] - (len(values) + 1) / 2, dtype=np.float64)
