"""Caption tables: what the published text-to-audio datasets share, a table of ids and captions."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.random import default_rng

from earwitness.datasets import PromptRecord
from earwitness.errors import EarwitnessError

if TYPE_CHECKING:
    from collections.abc import Sequence
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
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise EarwitnessError(f"{path}: no such file; download the dataset's CSV there") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise EarwitnessError(f"{path}, line {line}: not UTF-8 (byte {error.object[error.start]:#04x})") from error
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


def draw(where: str, found: Sequence[PromptRecord], items: int, seed: int) -> list[PromptRecord]:
    """`items` records drawn by a seed, in the table's order; all of them where there are no more.

    Raises EarwitnessError where there are none.
    """
    if not found:
        raise EarwitnessError(f"{where}: no items in this split")
    chosen = sorted(default_rng(seed).permutation(len(found))[:items].tolist())
    return [found[index] for index in chosen]
