"""Clips of a folder, and what its table says of them: names, splits and the cells of factors."""

from __future__ import annotations

import hashlib
import math
import os
import posixpath
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from earwitness.datasets.audio_files import SUFFIXES, UNREADABLE
from earwitness.datasets.cells import as_number
from earwitness.datasets.folders import is_hidden
from earwitness.datasets.tables import Table, TableRow, read_table
from earwitness.errors import EarwitnessError
from earwitness.worlds.estimators import ESTIMATORS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

TABLE = "notes.csv"
ESTIMATED = "estimated"
"""Stands in place of a list of factors."""
ESTIMATES = ("pitch", "loudness", "brightness")
"""Factors that are estimated: those of the published probes (arXiv 2510.23802)."""
SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev", "development"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""The split that each name means."""
FIFTHS = {"train": (0, 1, 2), "validation": (3,), "test": (4,)}
"""Fifths of the files that are a split's where no column tells."""


class Unit(NamedTuple):
    """What an estimator's factor is told in."""

    name: str
    lowest: float
    highest: float
    other: str
    """What a number outside of them may be, and what makes it one of the unit."""


UNITS = {
    "pitch": Unit("MIDI numbers", 0, 127, "Hz? write 69 + 12 log2(Hz / 440)"),
    "loudness": Unit("dB below full scale", -120, 0, "an amplitude or a velocity? write 20 log10(rms)"),
    "brightness": Unit("octaves above 1 kHz", -8, 8, "Hz? write log2(Hz / 1000)"),
    "attack": Unit("base 10 logarithms of seconds", -6, 2, "milliseconds? write log10(seconds)"),
}


@dataclass(frozen=True)
class Line:
    """A clip of the table."""

    file: str
    """From the folder, in one spelling: nothing that is drawn depends on where the folder lies."""
    path: Path
    split: str
    cells: tuple[str, ...]
    """What stands in each factor's column."""
    where: str
    """File and line, for messages."""


def found_clips(folder: Path) -> list[Line]:
    """All audio below a folder; raises EarwitnessError where there is none, or one that is of no use."""
    there = sorted(path for path in folder.rglob("*") if not path.is_dir() and not is_hidden(path, folder))
    files = [path for path in there if path.suffix.lower() in SUFFIXES]
    unread = [path.relative_to(folder).as_posix() for path in there if path.suffix.lower() in UNREADABLE]
    if unread:
        raise EarwitnessError(
            f"{folder}: {len(unread)} files of sound that are not read, {', '.join(unread[:3])}; convert them: "
            "ffmpeg -i FILE converted.wav, or take them out"
        )
    if not files:
        kinds = ", ".join(sorted({path.suffix or path.name for path in there})[:5]) or "nothing"
        raise EarwitnessError(f"{folder}: no audio ({', '.join(SUFFIXES)}) in it; found {kinds}; name another folder")
    lines = [_line(folder, path.relative_to(folder).as_posix(), str(path)) for path in files]
    _require_once(lines)
    return lines


def tabled_clips(path: Path, names: tuple[str, ...], estimated: bool) -> tuple[list[Line], tuple[str, ...]]:
    """Lines of a table, and the factors' names: those of its columns that are factors where none are named.

    Raises EarwitnessError where it cannot be read, names a clip twice, or a factor has one value.
    """
    advice = f'write there a table of file and factors, or set the dataset\'s factors to "{ESTIMATED}"'
    table = read_table(path, advice, canonical)
    table.require(("file", *names))
    given = () if estimated else names or _undeclared(table)
    places = {name: table.columns.index(name) for name in ("file", "split", *given) if name in table.columns}
    lines = [_tabled(table, row, places, given) for row in table.rows]
    _require_once(lines)
    _require_numbers(path, lines, given)
    return lines, given or ESTIMATES


def canonical(name: str) -> str:
    """A column's name: those that mean something in small letters."""
    return name.casefold() if name.casefold() in ("file", "split", *ESTIMATORS) else name


def _undeclared(table: Table) -> tuple[str, ...]:
    """The columns that are factors though no card says so; raises EarwitnessError where that is not clear."""
    others = [
        name or f"{number}, which has no name"
        for number, name in enumerate(table.columns, start=1)
        if name not in ("file", "split", *ESTIMATORS) and not _is_index(table, number - 1)
    ]
    if others:
        raise EarwitnessError(
            f"{table.path}: is column {', '.join(others)} a factor? Name the columns that are in the dataset's "
            f"parameters: factors = [...]; only {', '.join(ESTIMATORS)} are taken without"
        )
    given = tuple(name for name in table.columns if name in ESTIMATORS)
    if not given:
        raise EarwitnessError(
            f"{table.path}: no column of a factor; add one, or set the dataset's factors to {ESTIMATED!r}"
        )
    return given


def _is_index(table: Table, column: int) -> bool:
    """Whether a column is none that anybody wrote: without a name, and empty or of different whole numbers (pandas)."""
    cells = [row.cells[column].strip() for row in table.rows]
    unnamed = not table.columns[column] or table.columns[column].startswith("Unnamed: ")
    numbers = [as_number(cell) for cell in cells]
    numbered = len(set(numbers)) == len(cells) and all(number >= 0 and number.is_integer() for number in numbers)
    return unnamed and (numbered or not any(cells))


def _tabled(table: Table, row: TableRow, places: dict[str, int], factors: tuple[str, ...]) -> Line:
    """The clip of a row; raises EarwitnessError where it names no file or an unknown split."""
    where, file = table.where(row), row.cells[places["file"]].strip()
    if not file:
        raise EarwitnessError(f"{where}: no file; write its path, or take the line out")
    split = row.cells[places["split"]] if "split" in places else None
    return _line(table.path.parent, file, where, split, tuple(row.cells[places[name]].strip() for name in factors))


def _line(folder: Path, file: str, where: str, split: str | None = None, cells: tuple[str, ...] = ()) -> Line:
    """A clip; the split of one that has none is drawn from its name. Raises EarwitnessError on an unknown split."""
    file = posixpath.normpath(_spelling(folder, file))
    if split is None:
        fifth = draw_number(file) % 5
        split = next(name for name, fifths in FIFTHS.items() if fifth in fifths)
    elif split.strip().lower() not in SPLITS:
        known = ", ".join(dict.fromkeys(SPLITS.values()))
        raise EarwitnessError(f"{where}: split is {split.strip()!r}; write one of {known}")
    return Line(file, folder / file, SPLITS[split.strip().lower()], cells, where)


def _spelling(folder: Path, file: str) -> str:
    """A file's name as the folder has it, where a table has the separators or the accents of another system."""
    bent = file.replace("\\", "/")
    tried = (file, bent, *(unicodedata.normalize(form, bent) for form in ("NFC", "NFD")))
    return next((each for each in tried if os.path.exists(folder / each)), file)


def _require_once(lines: Sequence[Line]) -> None:
    """Raise EarwitnessError where two lines are one file, whatever it is called: it would be trained and tried on."""
    seen: dict[object, Line] = {}
    for line in lines:
        first = seen.setdefault(_identity(line.path), line)
        if first is not line:
            told = "stands in" if line.file == first.file else f"is the same file as {first.file} of"
            raise EarwitnessError(f"{line.where}: {line.file} {told} {first.where}; take one out")


def _identity(path: Path) -> object:
    """What two names of one file share: the file where it is there, else its path."""
    try:
        found = path.stat()
    except OSError:
        return os.path.realpath(path)
    return found.st_dev, found.st_ino


def draw_number(text: str) -> int:
    """A number that depends on a text alone."""
    return int.from_bytes(hashlib.sha256(text.encode(errors="surrogateescape")).digest()[:8], "big")


def _require_numbers(path: Path, lines: Sequence[Line], names: tuple[str, ...]) -> None:
    """Raise EarwitnessError where a factor has no number, none of its unit or one value in all lines."""
    for column, name in enumerate(names):
        texts = [line.cells[column] for line in lines]
        numbers = {number for number in map(as_number, texts) if math.isfinite(number)}
        if texts and not numbers:
            raise EarwitnessError(
                f"{path}: factor {name} holds no number, {texts[0]!r} in its first line; write numbers with a point, "
                "or name the columns that hold them in the dataset's factors"
            )
        if numbers and all(foreign(name, number) for number in numbers):
            raise EarwitnessError(f"{path}: factor {name}: {foreign(name, min(numbers))}")
        if len(numbers) == 1:
            raise EarwitnessError(
                f"{path}: factor {name} has one value, {numbers.pop():g}, in all lines; leave it out of the dataset's "
                "factors"
            )


def foreign(name: str, number: float) -> str:
    """Why a number is none of its factor's unit, and what to do; empty where it may be.

    >>> foreign("pitch", 440.0)
    '440 where MIDI numbers from 0 to 127 were expected; Hz? write 69 + 12 log2(Hz / 440)'
    """
    unit = UNITS.get(name)
    if unit is None or unit.lowest <= number <= unit.highest:
        return ""
    return f"{number:g} where {unit.name} from {unit.lowest:g} to {unit.highest:g} were expected; {unit.other}"
