"""Any folder of audio with a CSV of factors, or with factors that are estimated from the sound.

`notes.csv` has a line for each clip: `file`, a path from the folder; `split` (train, validation or test), if the folder
is split already; and a column for each factor. Columns of the estimators' names (pitch, loudness, brightness, attack)
are factors, and others are where the card names them. What steering moves is measured in the estimators' units, and
such columns are held to them: pitch as a MIDI number, loudness in dB, brightness in octaves above 1 kHz, attack as the
base 10 logarithm of seconds. A clip that is no use is found when its study is read, so that the other studies are
scored.
"""

from __future__ import annotations

import functools
import hashlib
import math
import os
import posixpath
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
from pydantic import Field

from earwitness.datasets import ConceptRecord, Notes
from earwitness.datasets.audio_files import SUFFIXES, UNREADABLE, opened, read_audio
from earwitness.datasets.subset import MOST
from earwitness.datasets.tables import Row, Table, read_table
from earwitness.errors import EarwitnessError, InvalidItemError
from earwitness.worlds.estimators import ESTIMATORS, estimate

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ESTIMATORS", "load"]

TABLE = "notes.csv"
SPLITS = {
    **{name: "train" for name in ("train", "training")},
    **{name: "validation" for name in ("validation", "valid", "val", "dev", "development")},
    **{name: "test" for name in ("test", "testing")},
}
"""The split that each name means."""
ESTIMATED = "estimated"
"""Stands in place of a list of factors."""
ESTIMATES = ("pitch", "loudness", "brightness")
"""Factors that are estimated: those of the published probes (arXiv 2510.23802)."""
FOLDS = 5
"""Folds in which a probe's strength is chosen on the training clips."""
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


@dataclass(frozen=True)
class Plan:
    """What of a folder is used, and how."""

    factors: tuple[str, ...]
    estimated: bool
    seconds: float


def load(
    source: str,
    *,
    split: str = "test",
    items: Annotated[int, Field(gt=0, le=MOST)],
    seed: int = 0,
    factors: str | Sequence[str] = (),
    seconds: Annotated[float, Field(gt=0, le=3600)] = 2.0,
    folds: Annotated[int, Field(ge=2, le=1000)] = FOLDS,
) -> list[ConceptRecord]:
    """Studies of a folder's clips: its training clips, and those of `split`, dealt to `items` records by a seed.

    `factors` names columns of `notes.csv`; where it is empty, those of the estimators' names are taken, and there must
    be no other but an index. Or it is "estimated": pitch, loudness and brightness of each clip are then estimated from
    its sound, and no table is needed. The first `seconds` of each clip are used. Without a column `split`, a hash of the
    file's name deals three fifths to train and one each to validation and test. A clip that is no use (missing, silent,
    clipped, short, a factor that is no number or none of its unit) is told when its record's sound is asked for. Raises
    EarwitnessError, in one line, where the table cannot be read or names a clip twice, a factor has one value, or a
    record has fewer training or test clips than `folds`.
    """
    folder, estimated = Path(source), factors == ESTIMATED
    if not folder.is_dir():
        raise EarwitnessError(f"{folder}: no such folder; name the folder of audio as the task's dataset source")
    if SPLITS.get(split, "train") == "train":
        raise EarwitnessError(f"clips are tried on the split validation or test; found split = {split!r}")
    split = SPLITS[split]
    if not 0 < seconds < math.inf or items < 1 or folds < 2:
        raise EarwitnessError(
            f"at least 1 item, 2 folds and more than 0 seconds are needed; found items = {items}, folds = {folds}, "
            f"seconds = {seconds:g}"
        )
    if isinstance(factors, str) and not estimated:
        raise EarwitnessError(f'factors is a list of columns of {TABLE}, or "{ESTIMATED}"; found {factors!r}')
    if not estimated and len(set(map(_canonical, factors))) < len(factors):
        raise EarwitnessError(f"factors names a column twice: {', '.join(factors)}; name each once")
    if estimated and not (folder / TABLE).exists():
        lines, plan = _found(folder), Plan(ESTIMATES, True, seconds)
    else:
        lines, names = _table(folder / TABLE, () if estimated else tuple(map(_canonical, factors)), estimated)
        plan = Plan(names, estimated, seconds)
    train, test = (_dealt(lines, which, items, seed) for which in ("train", split))
    for which, parts in (("train", train), (split, test)):
        if min(map(len, parts)) < folds:
            raise EarwitnessError(
                f"{folder}: {sum(map(len, parts))} {which} clips where items = {items}, and an item needs at least "
                f"{folds}, the folds of a probe; add clips, or lower the dataset's items"
            )
    dealt = zip(train, test, strict=True)
    return [_record(f"{split}-{number:05d}", *parts, plan) for number, parts in enumerate(dealt)]


def _found(folder: Path) -> list[Line]:
    """All audio below a folder; raises EarwitnessError where there is none, or one that is of no use."""
    there = sorted(path for path in folder.rglob("*") if path.is_file() and path.name[0] != ".")
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


def _table(path: Path, names: tuple[str, ...], estimated: bool) -> tuple[list[Line], tuple[str, ...]]:
    """Lines of a table, and the factors' names: those of its columns that are factors where none are named.

    Raises EarwitnessError where it cannot be read, names a clip twice, or a factor has one value.
    """
    advice = f'write there a table of file and factors, or set the dataset\'s factors to "{ESTIMATED}"'
    table = read_table(path, advice, _canonical)
    table.require(("file", *names))
    given = () if estimated else names or _undeclared(table)
    places = {name: table.columns.index(name) for name in ("file", "split", *given) if name in table.columns}
    lines = [_tabled(table, row, places, given) for row in table.rows]
    _require_once(lines)
    _require_numbers(path, lines, given)
    return lines, given or ESTIMATES


def _canonical(name: str) -> str:
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
    numbered = len(set(cells)) == len(cells) and all(cell.isdecimal() for cell in cells)
    return unnamed and (numbered or not any(cells))


def _tabled(table: Table, row: Row, places: dict[str, int], factors: tuple[str, ...]) -> Line:
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
        fifth = _draw(file) % 5
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
    """Raise EarwitnessError where two lines are one file, under whatever names: a clip would be trained and tried on."""
    seen: dict[object, Line] = {}
    for line in lines:
        first = seen.setdefault(_identity(line.path), line)
        if first is not line:
            raise EarwitnessError(f"{line.where}: {line.file} stands in {first.where} already; take one out")


def _identity(path: Path) -> object:
    """What two names of one file share: the file where it is there, else its path."""
    try:
        found = path.stat()
    except OSError:
        return os.path.realpath(path)
    return found.st_dev, found.st_ino


def _draw(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def _require_numbers(path: Path, lines: Sequence[Line], names: tuple[str, ...]) -> None:
    """Raise EarwitnessError where a factor has no number, none of its unit or one value in all lines."""
    for column, name in enumerate(names):
        texts = [line.cells[column] for line in lines]
        numbers = {number for number in map(_number, texts) if math.isfinite(number)}
        if texts and not numbers:
            raise EarwitnessError(
                f"{path}: factor {name} holds no number, {texts[0]!r} in its first line; write numbers with a point, or "
                "name the columns that hold them in the dataset's factors"
            )
        if numbers and all(_foreign(name, number) for number in numbers):
            raise EarwitnessError(f"{path}: factor {name}: {_foreign(name, min(numbers))}")
        if len(numbers) == 1:
            raise EarwitnessError(
                f"{path}: factor {name} has one value, {numbers.pop():g}, in all lines; leave it out of the dataset's "
                "factors"
            )


def _foreign(name: str, number: float) -> str:
    """Why a number is none of its factor's unit, and what to do; empty where it may be.

    >>> _foreign("pitch", 440.0)
    '440 where MIDI numbers from 0 to 127 were expected; Hz? write 69 + 12 log2(Hz / 440)'
    """
    unit = UNITS.get(name)
    if unit is None or unit.lowest <= number <= unit.highest:
        return ""
    return f"{number:g} where {unit.name} from {unit.lowest:g} to {unit.highest:g} were expected; {unit.other}"


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _dealt(lines: Sequence[Line], split: str, items: int, seed: int) -> list[list[Line]]:
    """A split's clips, dealt to items in an order that a seed draws; in each they stand in the table's order."""
    chosen = [index for index, line in enumerate(lines) if line.split == split]
    order = sorted(chosen, key=lambda index: _draw(f"{seed}|{lines[index].file}"))
    return [[lines[index] for index in sorted(order[item::items])] for item in range(items)]


def _record(name: str, train: list[Line], test: list[Line], plan: Plan) -> ConceptRecord:
    return ConceptRecord(
        id=name,
        cluster=name,
        train=_notes(train, plan),
        test=_notes(test, plan),
        estimated=plan.factors if plan.estimated else (),
    )


def _notes(lines: list[Line], plan: Plan) -> Notes:
    """Clips and their factors; the first fault of a factor, NaN among the numbers, is told by `audio`."""
    values, fault = np.full((len(lines), len(plan.factors)), np.nan), ""
    try:
        for index, line in enumerate(lines):
            values[index] = _estimates(line, plan) if plan.estimated else _given(line, plan)
        _require_units(lines, values, plan)
        _require_two_values(lines, values, plan)
    except InvalidItemError as error:
        fault = str(error)

    def audio(sample_rate: int) -> list[NDArray[np.float32]]:
        if fault:
            raise InvalidItemError(fault)
        return [read_clip(line.path, sample_rate, plan.seconds) for line in lines]

    return Notes(audio, dict(zip(plan.factors, values.T.copy(), strict=True)))


def _require_units(lines: list[Line], values: NDArray[np.float64], plan: Plan) -> None:
    for line, row in zip(lines, values.tolist(), strict=True):
        for name, number in zip(plan.factors, row, strict=True):
            if not plan.estimated and _foreign(name, number):
                raise InvalidItemError(f"{line.where}: factor {name}: {_foreign(name, number)}")


def _require_two_values(lines: list[Line], values: NDArray[np.float64], plan: Plan) -> None:
    for name, column in zip(plan.factors, values.T, strict=True):
        if (column == column[0]).all():
            raise InvalidItemError(
                f"factor {name} has one value, {column[0]:g}, in the item's {len(lines)} {lines[0].split} clips; lower "
                "the dataset's items, or leave the factor out"
            )


def _given(line: Line, plan: Plan) -> list[float]:
    """The factors' numbers of a line; raises InvalidItemError where one is none."""
    for name, text in zip(plan.factors, line.cells, strict=True):
        if not math.isfinite(_number(text)):
            raise InvalidItemError(
                f"{line.where}: factor {name} is {text!r}, which is no finite number; write one, or take the line out"
            )
    return [float(text) for text in line.cells]


def _estimates(line: Line, plan: Plan) -> list[float]:
    """Estimated factors of a clip; raises InvalidItemError where it cannot be read or has no pitch."""
    with opened(line.path) as file:
        rate = int(file.samplerate)
    found = _estimated(line.path, line.path.stat().st_mtime_ns, rate, plan.seconds)
    for name, value in zip(plan.factors, found, strict=True):
        if not math.isfinite(value):
            raise InvalidItemError(f"{line.path}: no {name} is found in it; take it out of the folder or its table")
    return list(found)


@functools.lru_cache(maxsize=65_536)
def _estimated(path: Path, changed: int, rate: int, seconds: float) -> tuple[float, ...]:
    """Estimates of a file as it was when it was last changed, kept: pYIN takes a tenth of a second a clip."""
    return tuple(estimate(read_clip(path, rate, seconds), rate, ESTIMATES).values())


def read_clip(path: Path, sample_rate: int, seconds: float) -> NDArray[np.float32]:
    """The first `seconds` of a file [S] in [-1, 1]; raises InvalidItemError as `read_audio` and where it is short."""
    with opened(path) as file:
        held = file.frames / file.samplerate
    if round(seconds * sample_rate) > round(held * sample_rate):
        raise InvalidItemError(
            f"{path}: {held:.2f} s long, and clips of {seconds:g} s are used; lower the dataset's seconds, or take the "
            "file out"
        )
    return read_audio(path, sample_rate, 0.0, seconds, seconds)
