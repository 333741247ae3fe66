"""The largest entries of each row: the same as those that sorting finds, ties and all."""

from __future__ import annotations

import itertools
import platform

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from earwitness.explaining.selection import RowsLargest, compiled, lower_bounds
from earwitness.explaining.sparse import add_transposed, left_over


def sorted_out(pre: np.ndarray, k: int) -> list[list[tuple[int, float]]]:
    """Columns and values of each row that are above 0 and no less than the k-th largest."""
    least = np.sort(pre, axis=1)[:, max(0, pre.shape[1] - k)]
    return [
        [(column, float(value)) for column, value in enumerate(row) if value > 0 and value >= bound]
        for row, bound in zip(pre, least, strict=True)
    ]


def found(pre: np.ndarray, k: int) -> list[list[tuple[int, float]]]:
    values, columns, starts = RowsLargest(k)(pre)
    rows = itertools.pairwise(starts.tolist())
    return [list(zip(columns[a:b].tolist(), values[a:b].tolist(), strict=True)) for a, b in rows]


@pytest.mark.parametrize(("features", "k"), [(384, 8), (385, 8), (97, 3), (40, 24), (5, 1), (5, 5), (5, 9), (1, 1)])
@pytest.mark.parametrize("levels", [0, 6])
def test_the_same_entries_are_kept_as_by_sorting(features: int, k: int, levels: int) -> None:
    pre = np.random.default_rng(features).normal(size=(50, features)).astype(np.float32)
    if levels:  # few values, so that most rows have ties
        pre = np.round(pre * levels / 4).astype(np.float32)
    assert found(pre, k) == sorted_out(pre, k)


def test_rows_without_an_entry_above_zero_keep_none_and_equal_ones_are_all_kept() -> None:
    pre = np.array([[-1.0, -2.0, 0.0], [2.0, 2.0, 2.0], [3.0, -1.0, 5.0]], dtype=np.float32)
    assert found(pre, 1) == [[], [(0, 2.0), (1, 2.0), (2, 2.0)], [(2, 5.0)]]


def test_columns_in_any_layout_and_of_another_number_are_chosen_from_anew() -> None:
    pre, largest = np.random.default_rng(1).normal(size=(30, 64)).astype(np.float32), RowsLargest(4)
    first = [part.copy() for part in largest(pre)]
    largest(pre[:, ::-1][:, :17])
    for one, again in zip(first, largest(np.asfortranarray(pre)), strict=True):
        np.testing.assert_array_equal(one, again)


def test_no_bound_is_above_the_entry_that_it_bounds() -> None:
    pre = np.random.default_rng(2).normal(size=(200, 130)).astype(np.float32)
    kth = np.sort(pre, axis=1)[:, -7]
    assert (lower_bounds(pre, 7) <= np.maximum(kth, np.finfo(np.float32).tiny)).all()


def assert_same(found: np.ndarray, scipys: np.ndarray) -> None:
    """To the bit, where scipy's compiler rounds products before it adds them; elsewhere it may fuse the two."""
    exact = platform.machine() in ("x86_64", "AMD64")
    np.testing.assert_allclose(found, scipys, rtol=0, atol=0 if exact else 1e-5)


def test_sums_over_the_entries_have_the_bits_of_scipys_products() -> None:
    rng = np.random.default_rng(3)
    values, columns, starts = RowsLargest(5)(rng.normal(size=(300, 40)).astype(np.float32))
    matrix, scale = csr_matrix((values, columns, starts), shape=(300, 40)), np.float32(0.1)
    given, decoder = (rng.normal(size=(size, 13)).astype(np.float32) for size in (300, 40))
    sums, residual, scaled = np.zeros_like(decoder), np.empty_like(given), np.empty_like(given)
    compiled(add_transposed)(starts, columns, values, given, sums)
    assert_same(sums, matrix.T @ given)
    compiled(left_over)(starts, columns, values, decoder, given, scale, (residual, scaled))
    assert_same(residual, matrix @ decoder - given)
    assert_same(scaled, (matrix @ decoder - given) * scale)
