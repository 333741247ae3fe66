"""Caption tables: what the published text-to-audio datasets share, a table of ids and captions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from earwitness.datasets import PromptRecord
from earwitness.datasets.tables import read_table
from earwitness.errors import EarwitnessError

if TYPE_CHECKING:
    from pathlib import Path

Line = tuple[int, Mapping[str, Any]]
"""Number of a line, for messages, and its values by column."""


@dataclass(frozen=True)
class Columns:
    """Names of the columns that a record is made of."""

    key: str
    caption: str
    cluster: str
    """Records that share it are not independent."""
    split: str = ""
    """Column that tells the split; empty where the table is one split."""

    @property
    def needed(self) -> list[str]:
        """The columns that a table must have."""
        return [name for name in dict.fromkeys((self.key, self.caption, self.cluster, self.split)) if name]


def read_csv(path: Path, columns: Columns) -> list[Line]:
    """Lines of a CSV file with a header; a line's number is that in which its row starts.

    Capitals in the names of columns mean nothing. Raises EarwitnessError, naming the file and the place, where a column
    is missing or as `tables.read_table`.
    """
    table = read_table(path, "download the dataset's CSV there").spelt(columns.needed)
    table.require(columns.needed)
    return [*table.named()]


def records(where: str, lines: Iterable[Line], columns: Columns) -> Iterator[PromptRecord]:
    """Records of a table's lines, white space folded; raises EarwitnessError on an empty or repeated id."""
    seen: dict[str, int] = {}
    for number, row in lines:
        identifier = _text(row[columns.key]).strip()
        if not identifier:
            raise EarwitnessError(f"{where}, line {number}: empty {columns.key}; write one, or take the line out")
        if identifier in seen:
            raise EarwitnessError(
                f"{where}, line {number}: {columns.key} {identifier!r} stands in line {seen[identifier]} already; take "
                "one out"
            )
        seen[identifier] = number
        prompt = " ".join(_text(row[columns.caption]).split())
        yield PromptRecord(identifier, prompt, _text(row[columns.cluster]).strip())


def _text(value: Any) -> str:
    return "" if value is None else str(value)
