"""Deletion and insertion: what becomes of a transcript, or of a token, as the spectrogram is removed or put back.

A curve has Q values at shares 0 = q_1 < ... < q_Q = 1 of the spectrogram's cells, those that the explanation ranks
highest first; its area over the shares is taken by the trapezoid rule. `shares` [Q] are even where they are not given.
Published (SPES, arXiv 2411.01710): the transcript under deletion. Ours: insertion, the forms of single tokens and of
their prefix, and the shift.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from earwitness.metrics import metric
from earwitness.metrics.arrays import UndefinedError, real, same_shape
from earwitness.metrics.responses.speech import (
    DeletionBleu,
    DeletionErrors,
    InsertionBleu,
    InsertionErrors,
    PrefixProbabilities,
    TokenProbabilities,
    TrainingDistances,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray


@metric(reads=DeletionErrors, direction="higher", range=(0.0, float("inf")))
def deletion_wer(errors: ArrayLike, words: float, mean_words: float, shares: ArrayLike | None = None) -> float:
    """Area under the word error rate as the cells that matter most are removed: this utterance's contribution.

    `errors` [Q] word errors (substituted, deleted, inserted) against a transcript of `words` words; `mean_words` is the
    mean of `words` over the task. Each contribution is the area of min(errors, words) / mean_words, so that their mean
    over the task is the area under the corpus-level rate, which is clipped at 1 (published: the clip acts on the
    corpus, here on each utterance). Cells that matter are removed early: higher is better.

    >>> deletion_wer([0, 2, 2], words=2, mean_words=2)
    0.75
    """
    return _rate_area(errors, words, mean_words, shares)


@metric(reads=InsertionErrors, direction="lower", range=(0.0, float("inf")))
def insertion_wer(errors: ArrayLike, words: float, mean_words: float, shares: ArrayLike | None = None) -> float:
    """Area under the word error rate as the cells that matter most are put back first: this utterance's contribution.

    Arguments as for `deletion_wer`, `errors` at each share of cells that stand, the others being removed.

    >>> insertion_wer([2, 0, 0], words=2, mean_words=2)
    0.25
    """
    return _rate_area(errors, words, mean_words, shares)


@metric(reads=DeletionBleu, direction="lower", range=(0.0, 1.0))
def deletion_bleu(scores: ArrayLike, shares: ArrayLike | None = None) -> float:
    """Area under the sentence's BLEU, in [0, 1], as the cells that matter most are removed; `scores` [Q].

    BLEU of a corpus does not come apart into contributions, so this is the mean over sentences (the paper's is of the
    corpus).

    >>> deletion_bleu([1.0, 0.0, 0.0])
    0.25
    """
    return area(scores, shares)


@metric(reads=InsertionBleu, direction="higher", range=(0.0, 1.0))
def insertion_bleu(scores: ArrayLike, shares: ArrayLike | None = None) -> float:
    """Area under the sentence's BLEU, in [0, 1], as the cells that matter most are put back first; `scores` [Q].

    >>> insertion_bleu([0.0, 1.0, 1.0])
    0.75
    """
    return area(scores, shares)


@metric(reads=TokenProbabilities, direction="lower", range=(0.0, 1.0))
def deletion_token(probabilities: ArrayLike, shares: ArrayLike | None = None) -> float:
    """Area under what is left of each token's probability as the cells of its own map are removed, mean over tokens.

    `probabilities` [O, O, Q]: entry [k, j] is the teacher-forced probability of token j as the cells of token k's map
    are removed. Left of token k at share q is min(1, p[k, k, q] / p[k, k, 0]).

    >>> deletion_token([[[0.5, 0.0, 0.0]]])
    0.25
    """
    p = _square("probabilities", probabilities)
    own = p[np.arange(len(p)), np.arange(len(p))]
    return float(np.mean([area(row, shares) for row in left(own)]))


@metric(reads=TokenProbabilities, direction="lower", range=(0.0, 1.0))
def deletion_token_others(probabilities: ArrayLike, shares: ArrayLike | None = None) -> float:
    """Harm to the other tokens as the cells of a token's own map are removed: area of what they lose, mean over pairs.

    `probabilities` as for `deletion_token`. A map that points at its token alone leaves the others standing: lower is
    better, and only beside `deletion_token`, since an empty ranking harms late. Raises UndefinedError for one token.

    >>> deletion_token_others([[[1.0, 0.0], [1.0, 1.0]], [[1.0, 1.0], [1.0, 0.0]]])
    0.0
    """
    p = _square("probabilities", probabilities)
    if len(p) < 2:
        raise UndefinedError("a transcript of one token has no other tokens")
    others = p[~np.eye(len(p), dtype=bool)]
    return float(np.mean([area(1 - row, shares) for row in left(others)]))


@metric(reads=PrefixProbabilities, direction="lower", range=(0.0, 1.0))
def deletion_prefix(curves: Sequence[ArrayLike]) -> float:
    """Area under what is left of a token's probability as tokens before it are removed, the highest of its map first.

    `curves`: for each token with at least two tokens before it, its probability [n + 1] with 0, 1, ..., n of its n
    prefix tokens removed; the mean over tokens. Raises UndefinedError where there is no such token.

    >>> deletion_prefix([[0.8, 0.0, 0.0]])
    0.25
    """
    if len(curves) == 0:
        raise UndefinedError("no token has two tokens before it")
    return float(np.mean([area(left(np.atleast_2d(real("curves", curve, 1)))[0]) for curve in curves]))


@metric(reads=TrainingDistances, direction="none", range=(0.0, float("inf")))
def deletion_shift(distances: ArrayLike, typical: float, shares: ArrayLike | None = None) -> float:
    """How far deletion drives the input from training speech: area of the distance over that of untouched speech.

    `distances` [Q] of the inputs at each share of removed cells, `typical` the mean distance of held-out speech. 1 is
    speech as it comes; where it is far above, the curve asks the model about inputs that it has never seen.

    >>> deletion_shift([1.0, 3.0], typical=1.0)
    2.0
    """
    return area(distances, shares) / float(typical)


def area(values: ArrayLike, shares: ArrayLike | None = None) -> float:
    """Area under a curve [Q] at ascending shares [Q] from 0 to 1, even ones by default, by the trapezoid rule.

    >>> area([0.0, 1.0, 1.0]), area([0.0, 1.0, 1.0], [0.0, 0.25, 1.0])
    (0.75, 0.875)
    """
    curve = real("curve", values, 1)
    if len(curve) < 2:
        raise UndefinedError("a curve needs two points")
    heights = (curve[1:] + curve[:-1]) / 2
    if shares is None:
        return float(heights.mean())
    at = real("shares", shares, 1)
    same_shape(curve=curve, shares=at)
    return float(heights @ np.diff(at))


def left(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """What is left [n, Q] of probabilities [n, Q] that start at their first column, at most 1."""
    start = np.maximum(probabilities[:, :1], np.finfo(np.float64).tiny)
    return np.minimum(probabilities / start, 1.0)


def _rate_area(errors: ArrayLike, words: float, mean_words: float, shares: ArrayLike | None) -> float:
    if words <= 0 or mean_words <= 0:
        raise UndefinedError("the transcript to compare with has no words")
    return area(np.minimum(real("errors", errors, 1), float(words)), shares) / float(mean_words)


def _square(name: str, array: ArrayLike) -> NDArray[np.float64]:
    p = real(name, array, 3)
    if p.shape[0] != p.shape[1]:
        raise ValueError(f"{name} must be [O, O, Q]; found {list(p.shape)}")
    return p
