"""Caption tables: what the published text-to-audio datasets share, a table of ids and captions."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from earwitness.datasets import PromptRecord
from earwitness.datasets.text_files import read_text
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


def read_csv(path: Path, columns: Columns) -> list[Line]:
    """Lines of a CSV file with a header.

    Raises EarwitnessError, naming the file and the place, where a column is missing or the text is not UTF-8 or CSV.
    """
    text = read_text(path, "download the dataset's CSV there")
    reader = csv.DictReader(text.splitlines(keepends=True), strict=True)
    try:
        found = reader.fieldnames or ()
        missing = [name for name in (columns.key, columns.caption, columns.cluster, columns.split) if name not in found]
        if any(missing):
            raise EarwitnessError(f"{path}: no column {', '.join(missing)}; found {', '.join(found) or 'none'}")
        return [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise EarwitnessError(f"{path}, line {reader.line_num}: not CSV: {error}") from error


def records(where: str, lines: Iterable[Line], columns: Columns) -> Iterator[PromptRecord]:
    """Records of a table's lines, white space folded; raises EarwitnessError on an empty or repeated id."""
    seen: dict[str, int] = {}
    for number, row in lines:
        identifier = str(row[columns.key] or "")
        if not identifier:
            raise EarwitnessError(f"{where}, line {number}: empty {columns.key}")
        if identifier in seen:
            raise EarwitnessError(
                f"{where}, line {number}: {columns.key} {identifier!r} stands in line {seen[identifier]} already"
            )
        seen[identifier] = number
        prompt = " ".join(str(row[columns.caption] or "").split())
        yield PromptRecord(identifier, prompt, str(row[columns.cluster]))
