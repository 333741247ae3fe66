"""The text that says which words an explanation marks, and the token map that it stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from earwitness.errors import EarwitnessError
from earwitness.tracks.prompt import TokenMap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from earwitness.tracks.prompt import PromptItem

AFTER, HALF = ">", "|"


def written(weights: Sequence[float] | NDArray[np.generic]) -> str:
    """Numbers of the words of each weight [W] above 0, the largest weight first.

    >>> written([1.0, 0.0, 1.0]), written([0.5, 1.0, 0.0, 0.5])
    ('0 2', '1 > 0 3')
    """
    values = np.asarray(weights, dtype=np.float64)
    groups = [np.flatnonzero(values == weight) for weight in np.unique(values)[::-1] if weight > 0]
    return f" {AFTER} ".join(" ".join(map(str, group.tolist())) for group in groups)


def read(text: str, words: int) -> NDArray[np.float64]:
    """Weights [W] in [0, 1] of words in groups: 1 for the first group, in equal steps down to 0 for those not named.

    Raises EarwitnessError where the text names no words of the prompt.

    >>> read("1 > 0 3", 4).tolist()
    [0.5, 1.0, 0.0, 0.5]
    """
    weights = np.zeros(words)
    groups = [group.split() for group in text.split(AFTER)] if text.strip() else []
    for place, group in enumerate(groups):
        for number in group:
            if not number.isdecimal() or int(number) >= words:
                raise EarwitnessError(f"choice {text!r}: {number} is none of the {words} words, counted from 0")
            weights[int(number)] = 1 - place / len(groups)
    return weights


def halves(even: str, odd: str) -> str:
    """The text of words that are marked in the even frames, and of those in the odd ones.

    >>> halves("0 1", "0 2"), halves("0 1", "0 1")
    ('0 1 | 0 2', '0 1')
    """
    return even if even == odd else f"{even} {HALF} {odd}"


def token_map(item: PromptItem, owner: NDArray[np.int64], text: str) -> TokenMap:
    """The map that marks the words that a text names; `owner` [N] is a token's word or -1.

    Words that are marked alike tie, so that a `top` mask of as many tokens keeps exactly these, and one of fewer draws
    among them. Raises EarwitnessError where the text names no words of the prompt.
    """
    parts = [read(part, int(owner.max()) + 1) for part in text.split(HALF)]
    rows = [np.where(owner >= 0, part[owner], 0.0) for part in parts]
    if len(rows) == 1:
        return TokenMap(np.broadcast_to(rows[0], (item.codes.shape[1], len(owner))).copy())
    return TokenMap(np.stack([rows[frame % len(rows)] for frame in range(item.codes.shape[1])]))
