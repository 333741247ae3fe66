"""Word times from cross-attention: normalised, median-filtered, averaged over heads, aligned by dynamic time warping.

As Whisper's own code finds them (openai/whisper, `whisper/timing.py`, and transformers' Whisper after it).
"""

from __future__ import annotations

import numpy as np


def evidence(attention: np.ndarray, width: int = 7) -> np.ndarray:
    """How much each row speaks of each encoder step, [R, E], from attention [H, R, E] of some heads.

    Each step's column is brought to mean 0 and deviation 1 over the rows, filtered by the median of `width` steps, and
    averaged over heads. A column without deviation is 0.
    """
    centred = attention - attention.mean(axis=1, keepdims=True)
    deviation = attention.std(axis=1, keepdims=True)
    scores = np.divide(centred, deviation, out=np.zeros_like(centred), where=deviation > 0)
    return np.asarray(median_filtered(scores, width).mean(axis=0))


def median_filtered(values: np.ndarray, width: int) -> np.ndarray:
    """Median of `width` neighbours along the last axis, mirrored at the ends; as they are where they are too few.

    Raises ValueError unless `width` is odd.

    >>> median_filtered(np.array([0.0, 5.0, 0.0, 1.0]), 3).tolist()
    [5.0, 0.0, 1.0, 0.0]
    """
    if width < 1 or width % 2 == 0:
        raise ValueError(f"width must be odd; found {width}")
    side = width // 2
    if values.shape[-1] <= side:
        return values
    padded = np.pad(values, [(0, 0)] * (values.ndim - 1) + [(side, side)], mode="reflect")
    return np.asarray(np.median(np.lib.stride_tricks.sliding_window_view(padded, width, axis=-1), axis=-1))


def first_steps(scores: np.ndarray) -> np.ndarray:
    """Step [R] at which each row begins on the path of the largest sum through scores [R, E].

    The path goes from the first row and step to the last by one step, one row, or both (dynamic time warping). Where
    the two ways from the row before cost the same, it stays in its own, whatever that costs: so does Whisper's.

    >>> first_steps(np.array([[3.0, 2.0, -0.5, -0.5], [-0.5, -1.0, 2.0, 1.0]])).tolist()
    [0, 2]
    """
    rows, steps = scores.shape
    cost = np.full((rows + 1, steps + 1), np.inf)
    cost[0, 0] = 0
    came = np.full((rows + 1, steps + 1), 2)
    came[:, 0] = 1
    came[0] = 2
    for j in range(1, steps + 1):
        for i in range(1, rows + 1):
            both, row, step = cost[i - 1, j - 1], cost[i - 1, j], cost[i, j - 1]
            kind = 0 if both < row and both < step else 1 if row < both and row < step else 2
            cost[i, j] = (both, row, step)[kind] - scores[i - 1, j - 1]
            came[i, j] = kind
    begins = np.zeros(rows, dtype=np.int64)
    i, j = rows, steps
    while i > 0 or j > 0:
        if i > 0:
            begins[i - 1] = max(j - 1, 0)
        kind = int(came[i, j])
        i, j = i - (kind != 2), j - (kind != 1)
    return begins
