"""Rows as a data frame, for people who know pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas
    import pyarrow as pa


def frame(rows: pa.Table) -> pandas.DataFrame:
    """The rows as a tidy data frame: a line a row, a column a field; a value that a row lacks is NaN.

    Raises ModuleNotFoundError where pandas is not installed.
    """
    import pandas

    return pandas.DataFrame({name: rows[name].to_pandas() for name in rows.column_names})
