"""The k largest entries of each row, exactly: the choice that TopK makes for every frame that it is trained on.

A row's columns fall into groups. No fewer than k entries reach the k-th largest of the groups' maxima, so that it
bounds the k-th largest entry from below, and few entries lie above it: maxima are quick to find and to rank. Those few
are gathered without a branch from the groups whose maxima reach the bound, and the least of them dropped until k are
left, which are then put in the order of their columns.
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
        maxima = group_maxima(pre, self._k)
        bounds = lower_bounds(maxima, self._k)
        count = compiled(_gathered)(pre, maxima, bounds, self._k, self._values, self._columns, starts)
        values, columns = self._values[:count].copy(), self._columns[:count].copy()
        compiled(_put_in_order)(values, columns, starts)
        return values, columns, starts


def group_maxima(pre: np.ndarray, k: int) -> np.ndarray:
    """The largest entry of each group of columns of [B, C], [B, G]: columns that lie G apart make a group.

    The last C mod G columns belong to none. With C no more than `GROUPS` k, each column is a group.

    >>> group_maxima(np.array([[3.0, 9.0, 1.0, 7.0, 4.0, 5.0]], dtype=np.float32), 1).tolist()
    [[3.0, 9.0, 1.0, 7.0]]
    """
    rows, features = pre.shape
    groups = min(features, 1 << (GROUPS * k - 1).bit_length())
    whole = features // groups * groups
    return np.asarray(torch.from_numpy(pre[:, :whole]).view(rows, -1, groups).amax(1).numpy())


def lower_bounds(maxima: np.ndarray, k: int) -> np.ndarray:
    """A number [B] above 0 for each row that its k-th largest entry is no less than, if that is above 0.

    >>> lower_bounds(np.array([[3.0, 9.0, 1.0, 7.0]], dtype=np.float32), 2).tolist()
    [7.0]
    """
    rows, groups = maxima.shape
    if k >= groups:
        return np.full(rows, ABOVE_ZERO, dtype=np.float32)
    ranked = np.partition(maxima, groups - k, axis=1)
    return np.asarray(np.maximum(ranked[:, groups - k], ABOVE_ZERO))


def _gathered(
    pre: np.ndarray,
    maxima: np.ndarray,
    bounds: np.ndarray,
    k: int,
    values: np.ndarray,
    columns: np.ndarray,
    starts: np.ndarray,
) -> int:
    """Fill values, columns (in any order) and row starts; returns how many entries are kept."""
    groups, features = maxima.shape[1], pre.shape[1]
    reaching = np.empty(groups + 1, dtype=np.int32)
    end = 0
    for row in range(pre.shape[0]):
        first, bound = end, bounds[row]
        count = 0
        for group in range(groups):
            reaching[count] = group
            count += maxima[row, group] >= bound
        for group in reaching[:count]:
            for column in range(group, features // groups * groups, groups):
                value = pre[row, column]
                values[end] = value
                columns[end] = column
                end += value >= bound
        for column in range(features // groups * groups, features):
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


def _put_in_order(values: np.ndarray, columns: np.ndarray, starts: np.ndarray) -> None:
    """Sort each row's entries by column, in place, by insertion: a row has few."""
    for row in range(len(starts) - 1):
        first = starts[row]
        for at in range(first + 1, starts[row + 1]):
            value, column, to = values[at], columns[at], at
            while to > first and columns[to - 1] > column:
                values[to], columns[to] = values[to - 1], columns[to - 1]
                to -= 1
            values[to], columns[to] = value, column
