"""Tables of datasets: CSV files with a header, read so that no row is lost or cut without a word."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from earwitness.datasets.text_files import read_text
from earwitness.errors import EarwitnessError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

OTHERS = {";": "semicolons", "\t": "tabs", "|": "bars"}
"""Separators that tables are written with where commas are expected."""
FAULTS = {
    "unexpected end of data": "a quote opens a cell here and none closes it; close it, or double it",
    "field larger than field limit": (
        f"a cell of more than {csv.field_size_limit()} characters; close its quote, or shorten it"
    ),
    "expected after": "text follows the quote that closes a cell; double the quotes inside a quoted cell",
}
"""What is said in place of the errors of Python's csv."""


@dataclass(frozen=True)
class TableRow:
    """A row of a table."""

    line: int
    """The line of the file in which it starts, from 1: a quoted cell may hold line ends."""
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A header and the rows below it; every row has a cell for each column."""

    path: Path
    columns: tuple[str, ...]
    """White space around the names stripped; empty where a column has none."""
    rows: tuple[TableRow, ...]

    def where(self, row: TableRow) -> str:
        """File and line of a row, for messages."""
        return f"{self.path}, line {row.line}"

    def require(self, names: Sequence[str]) -> None:
        """Raise EarwitnessError, in one line, unless each of the names is one column's."""
        missing = [name for name in dict.fromkeys(names) if name not in self.columns]
        if missing:
            found = ", ".join(name or "one without a name" for name in self.columns)
            comment = "; if its first line is a comment, take it out" if self.columns[0].startswith("#") else ""
            raise EarwitnessError(f"{self.path}: no column {', '.join(missing)}; found {found}{comment}")

    def spelt(self, names: Sequence[str]) -> Table:
        """The table with these names for the columns whose names differ from them in capitals alone.

        Raises EarwitnessError where two columns are then of one name.
        """
        folded = {name.casefold(): name for name in names if name not in self.columns}
        columns = tuple(folded.get(name.casefold(), name) for name in self.columns)
        _require_once(self.path, columns)
        return replace(self, columns=columns)

    def named(self) -> list[tuple[int, dict[str, str]]]:
        """Number of the line and cells by column of each row."""
        return [(row.line, dict(zip(self.columns, row.cells, strict=True))) for row in self.rows]


def read_table(path: Path, advice: str, canonical: Callable[[str], str] = str) -> Table:
    """The table of a CSV file in UTF-8: commas, double quotes, any line end; `advice` is for where it is missing.

    `canonical` says what a column is called whose name is written in several ways. Lines without text are skipped, and
    so are empty cells beyond the header's last, and before the header a line of `sep=,` and lines of one cell that
    begin with #. Raises EarwitnessError, naming the file and the line in which the row starts, where the text is not
    UTF-8 or CSV, a row has another number of cells than the header, or two columns have one name.
    """
    rows = list(_rows(path, read_text(path, advice)))
    while rows and _is_preamble(path, rows[0]):
        del rows[0]
    if not rows:
        raise EarwitnessError(f"{path}: empty; write a header and a line for each item")
    columns = tuple(canonical(name.strip().strip("\ufeff").strip()) for name in rows[0].cells)
    other = next((name for mark, name in OTHERS.items() if mark in columns[0]), "")
    if len(columns) == 1 and other:
        raise EarwitnessError(f"{path}: one column, its cells separated by {other}; write it with commas")
    _require_once(path, columns)
    fitted = tuple(_fitted(row, len(columns)) for row in rows[1:])
    odd = [row for row in fitted if len(row.cells) != len(columns)]
    if odd:
        more = f", and {len(odd) - 1} more such" if len(odd) > 1 else ""
        raise EarwitnessError(
            f"{path}, line {odd[0].line}: {len(odd[0].cells)} cells under a header of {len(columns)}{more}; put quotes "
            "around a cell with commas or line ends in it"
        )
    return Table(path, columns, fitted)


def _require_once(path: Path, columns: tuple[str, ...]) -> None:
    """Raise EarwitnessError where two columns have one name."""
    doubles = [name for name in columns if name and columns.count(name) > 1]
    if doubles:
        raise EarwitnessError(f"{path}: two columns {doubles[0]!r}; take one out")


def _rows(path: Path, text: str) -> Iterator[TableRow]:
    """Rows of a text, the header first; raises EarwitnessError where one is not CSV."""
    reader, line = csv.reader(io.StringIO(text, newline=""), strict=True), 1
    try:
        for cells in reader:
            if "".join(cells).strip():
                yield TableRow(line, tuple(cells))
            line = reader.line_num + 1
    except csv.Error as error:
        said = next((told for fault, told in FAULTS.items() if fault in str(error)), str(error))
        raise EarwitnessError(f"{path}, line {line}: not CSV: {said}") from error


def _is_preamble(path: Path, row: TableRow) -> bool:
    """Whether a row before the header is a comment or a spreadsheet's `sep=,`; raises EarwitnessError on `sep=;`."""
    first, *others = (cell.strip().strip("\ufeff") for cell in row.cells)
    if first.lower().startswith("sep=") and not any(others):
        mark = first[4:] or ("," if others else "")
        if mark != ",":
            raise EarwitnessError(f"{path}, line {row.line}: cells separated by {mark!r}; write it with commas")
        return True
    return first.startswith("#") and first != "#" and not any(others)


def _fitted(row: TableRow, count: int) -> TableRow:
    """A row without empty cells beyond the header's: spreadsheets end lines in commas."""
    return row if any(cell.strip() for cell in row.cells[count:]) else TableRow(row.line, row.cells[:count])
