"""The k largest entries of each row, exactly: the choice that TopK makes for every frame that it is trained on.

A row's columns fall into groups. No fewer than k entries reach the k-th largest of the groups' maxima, so that it
bounds the k-th largest entry from below, and few entries lie above it: maxima are quick to find and to rank. Those few
are gathered in one pass without a branch, and the least of them dropped until k are left.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

GROUPS = 4
"""Groups of columns for each entry that is kept, at least: with few the bound lies low, many take long to rank."""
ABOVE_ZERO = np.finfo(np.float32).tiny


@functools.cache
def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as machine code; compiled once a process, since a box may have no place to keep it."""
    import numba

    found: Callable[..., Any] = numba.njit(nogil=True)(function)
    return found


class RowsLargest:
    """The k largest entries above 0 of each row; keeps its buffers from call to call."""

    def __init__(self, k: int) -> None:
        self._k = k
        self._values = np.empty(0, dtype=np.float32)
        self._columns = np.empty(0, dtype=np.int32)

    def __call__(self, pre: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Values, columns and row starts (compressed rows, columns in order) of pre-activations [B, C] float32.

        Entries that are equal to the least that stays are kept, too. The next call overwrites nothing that was given.
        """
        pre = np.ascontiguousarray(pre)
        # One place more than entries: what is not kept is written and overwritten.
        if len(self._values) <= pre.size:
            self._values = np.empty(pre.size + 1, dtype=np.float32)
            self._columns = np.empty(pre.size + 1, dtype=np.int32)
        starts = np.zeros(len(pre) + 1, dtype=np.int32)
        count = compiled(_gathered)(pre, lower_bounds(pre, self._k), self._k, self._values, self._columns, starts)
        return self._values[:count].copy(), self._columns[:count].copy(), starts


def lower_bounds(pre: np.ndarray, k: int) -> np.ndarray:
    """A number [B] above 0 for each row of [B, C] that its k-th largest entry is no less than, if that is above 0.

    >>> lower_bounds(np.array([[3.0, 9.0, 1.0, 7.0]], dtype=np.float32), 2).tolist()
    [7.0]
    """
    rows, features = pre.shape
    groups = min(features, 1 << (GROUPS * k - 1).bit_length())
    if k >= groups:
        return np.full(rows, ABOVE_ZERO, dtype=np.float32)
    whole = features // groups * groups
    # Columns that lie `groups` apart make a group: their maxima are found many at once.
    maxima = torch.from_numpy(pre[:, :whole]).view(rows, -1, groups).amax(1).numpy()
    maxima.partition(groups - k, axis=1)
    return np.asarray(np.maximum(maxima[:, groups - k], ABOVE_ZERO))


def _gathered(
    pre: np.ndarray, bounds: np.ndarray, k: int, values: np.ndarray, columns: np.ndarray, starts: np.ndarray
) -> int:
    """Fill values, columns and row starts; returns how many entries are kept."""
    end = 0
    for row in range(pre.shape[0]):
        first, bound = end, bounds[row]
        for column in range(pre.shape[1]):
            value = pre[row, column]
            values[end] = value
            columns[end] = column
            end += value >= bound
        while end - first > k:
            least = values[first]
            for at in range(first + 1, end):
                least = min(least, values[at])
            above = 0
            for at in range(first, end):
                above += values[at] > least
            if above < k:
                break
            to = first
            for at in range(first, end):
                value = values[at]
                values[to] = value
                columns[to] = columns[at]
                to += value > least
            end = to
        starts[row + 1] = end
    return end
