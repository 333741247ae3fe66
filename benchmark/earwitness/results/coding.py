"""Columns of rows as numbers: the places of their values along the axes of arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from earwitness.results.rows import KEY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def codes(column: pa.ChunkedArray) -> tuple[list[Any], NDArray[np.int64]]:
    """Sorted distinct values of a column, and the place of each row's value among them.

    >>> codes(pa.chunked_array([["b", "a", "b"]]))[0]
    ['a', 'b']
    """
    names = sorted(pc.unique(column).to_pylist())
    return names, places(column, names)


def places(column: pa.ChunkedArray, names: Sequence[Any]) -> NDArray[np.int64]:
    """Place of each row's value among names, -1 where it is none of them."""
    found = pc.index_in(column, value_set=pa.array(names, column.type))
    return np.asarray(pc.fill_null(found, -1).to_numpy(), dtype=np.int64)


def once(rows: pa.Table) -> pa.Table:
    """The rows, each key once: runs over fewer items repeat keys of the whole run, whose rows stay."""
    if not len(rows):
        return rows
    coded = [codes(rows[column]) for column in KEY]
    cell = np.ravel_multi_index([code for _, code in coded], [len(names) for names, _ in coded])
    return rows.take(pa.array(one_of_each(np.asarray(cell), rows)))


def one_of_each(cell: NDArray[np.int64], rows: pa.Table) -> NDArray[np.int64]:
    """Places, ascending, of one row of each cell: of the run with most rows, then the first by name, then by value."""
    _, run = codes(rows["run"])
    size = np.bincount(run)[run]
    value = rows["value"].to_numpy(zero_copy_only=False).astype(np.float64)
    order = np.lexsort((value, run, -size, cell))
    ordered = cell[order]
    first = np.ones(len(order), dtype=bool)
    first[1:] = ordered[1:] != ordered[:-1]
    return np.sort(order[first])
