"""The published metric on the grid that it was published on, beside a curve that is taken at more shares.

Published (SPES, arXiv 2411.01710): the transcript under deletion, every 5 % of the cells. A card whose curves are taken
at `grid = "fine"` asks the model at all of these shares, too, so that this costs no pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from earwitness.metrics import metric
from earwitness.metrics.arrays import UndefinedError, real, same_shape
from earwitness.metrics.deletion import deletion_wer
from earwitness.metrics.responses.speech import DeletionErrors

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

EVEN = np.arange(21) / 20
"""Shares of cells, every 5 %."""


@metric(reads=DeletionErrors, direction="higher", range=(0.0, float("inf")))
def deletion_wer_even(errors: ArrayLike, words: float, mean_words: float, shares: ArrayLike) -> float:
    """Area under the word error rate as cells are removed, by the points at every 5 % alone, as published.

    Arguments as for `deletion_wer`. Raises UndefinedError where the curve was not taken at each of these shares.

    >>> shares = np.arange(101) / 100
    >>> round(deletion_wer_even(4 * (shares >= 0.03), words=4, mean_words=4, shares=shares), 6)
    0.975
    """
    return deletion_wer(on_even(errors, shares), words, mean_words)


def on_even(curve: ArrayLike, shares: ArrayLike) -> NDArray[np.float64]:
    """Of a curve [Q] at shares [Q] its values [21] at every 5 %; raises UndefinedError where one of them is missing."""
    values, at = real("curve", curve, 1), real("shares", shares, 1)
    same_shape(curve=values, shares=at)
    away = np.abs(at[None] - EVEN[:, None])
    if away.min(1).max() > 1e-9:
        raise UndefinedError("the curve was not taken at every 5 % of cells")
    found: NDArray[np.float64] = values[away.argmin(1)]
    return found
