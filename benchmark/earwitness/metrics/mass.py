"""Mass: how much an explanation marks, and how much of it on words that are known to do nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from earwitness.metrics import metric
from earwitness.metrics.arrays import UndefinedError, real
from earwitness.metrics.responses.prompt import NullWords, TokenWeights

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@metric(reads=TokenWeights, direction="none", range=(0.0, 1.0))
def size(weights: ArrayLike) -> float:
    """Mean of the mask over frames and the text's tokens (AudioGenX, arXiv 2502.00459).

    `weights` [F, n] in [0, 1], special tokens left out. A description, not a merit: a mask of ones has size 1.

    >>> size([[1.0, 0.0], [0.5, 0.5]])
    0.5
    """
    return float(real("weights", weights, 2).mean())


@metric(reads=NullWords, direction="lower", range=(0.0, 1.0))
def null_word_mass(weights: ArrayLike, null: ArrayLike) -> float:
    """Share of the explanation's mass on words that are certified to have no influence on this sound.

    sum of `weights` over null words / sum over all words; `weights` [W] is the mass of each word (mean over frames, sum
    over its tokens), `null` [W] is True on the certified words. An explanation without any mass counts as spread
    evenly: saying nothing is no merit. Ours. Raises UndefinedError where no word, or every word, is null.

    >>> null_word_mass([0.5, 0.25, 0.25], [False, True, True])
    0.5
    """
    mass = real("weights", weights, 1)
    silent = np.asarray(null, dtype=bool)
    if silent.shape != mass.shape:
        raise ValueError(f"null must have the shape of weights {list(mass.shape)}; found {list(silent.shape)}")
    if not silent.any():
        raise UndefinedError("no word of this prompt is certified to have no influence")
    if silent.all():
        raise UndefinedError("every word of this prompt is certified to have no influence")
    total = float(mass.sum())
    return float(mass[silent].sum()) / total if total > 0 else float(silent.mean())
