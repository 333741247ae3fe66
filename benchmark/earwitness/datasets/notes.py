"""Any folder of audio with a CSV of factors, or with factors that are estimated from the sound.

`notes.csv` has a line for each clip: `file`, a path from the folder; `split` (train, validation or test), if the folder
is split already; and a column for each factor. What steering moves is measured in factors of the estimators' names and
units: pitch as a MIDI number, loudness in dB, brightness in octaves above 1 kHz. A clip that is no use is found when
its study is read, so that the other studies are scored.
"""

from __future__ import annotations

import csv
import functools
import hashlib
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from earwitness.datasets import ConceptRecord, Notes
from earwitness.datasets.audio_files import opened, read_audio
from earwitness.datasets.text_files import read_text
from earwitness.errors import EarwitnessError, InvalidItemError
from earwitness.worlds.estimators import ESTIMATORS, estimate

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ESTIMATORS", "load"]

TABLE = "notes.csv"
SUFFIXES = (".wav", ".flac", ".ogg")
SPLITS = ("train", "validation", "test")
ESTIMATED = "estimated"
"""Stands in place of a list of factors."""
ESTIMATES = ("pitch", "loudness", "brightness")
"""Factors that are estimated: those of the published probes (arXiv 2510.23802)."""
FOLDS = 5
"""Folds in which a probe's strength is chosen on the training clips."""
FIFTHS = {"train": (0, 1, 2), "validation": (3,), "test": (4,)}
"""Fifths of the files that are a split's where no column tells."""


@dataclass(frozen=True)
class Line:
    """A clip of the table."""

    file: str
    """As the table names it: nothing that is drawn depends on where the folder lies."""
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
    items: int,
    seed: int = 0,
    factors: str | Sequence[str] = (),
    seconds: float = 2.0,
    folds: int = FOLDS,
) -> list[ConceptRecord]:
    """Studies of a folder's clips: its training clips, and those of `split`, dealt to `items` records by a seed.

    `factors` names columns of `notes.csv`, all but file and split where it is empty; or it is "estimated": pitch,
    loudness and brightness of each clip are then estimated from its sound, and no table is needed. The first `seconds`
    of each clip are used. Without a column `split`, a hash of the file's name deals three fifths to train and one
    each to validation and test. A clip that is no use (missing, silent, clipped, short, a factor that is no number)
    is told when its record's sound is asked for. Raises EarwitnessError, in one line, where the table cannot be read,
    a factor has one value, or a record has fewer training or test clips than `folds`.
    """
    folder, estimated = Path(source), factors == ESTIMATED
    if not folder.is_dir():
        raise EarwitnessError(f"{folder}: no such folder; name the folder of audio as the task's dataset source")
    if split not in SPLITS[1:]:
        raise EarwitnessError(f"clips are tried on the split validation or test; found split = {split!r}")
    if not seconds > 0 or items < 1 or folds < 2:
        raise EarwitnessError(
            f"at least 1 item, 2 folds and more than 0 seconds are needed; found items = {items}, folds = {folds}, "
            f"seconds = {seconds:g}"
        )
    if isinstance(factors, str) and not estimated:
        raise EarwitnessError(f'factors is a list of columns of {TABLE}, or "{ESTIMATED}"; found {factors!r}')
    if estimated and not (folder / TABLE).exists():
        lines, plan = _found(folder), Plan(ESTIMATES, True, seconds)
    else:
        lines, names = _table(folder / TABLE, () if estimated else tuple(factors), estimated)
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
    """All audio below a folder; raises EarwitnessError where there is none."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.name[0] != ".")
    if not files:
        raise EarwitnessError(f"{folder}: no audio ({', '.join(SUFFIXES)}) in it; name another folder")
    return [_line(folder, path.relative_to(folder).as_posix(), str(path)) for path in files]


def _table(path: Path, names: tuple[str, ...], estimated: bool) -> tuple[list[Line], tuple[str, ...]]:
    """Lines of a table, and the factors' names: all of its columns where none are named.

    Raises EarwitnessError where it cannot be read, or a factor has one value.
    """
    text = read_text(path, f'write there a table of file and factors, or set the dataset\'s factors to "{ESTIMATED}"')
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        reader.fieldnames = found = [name.strip() for name in reader.fieldnames or ()]
        given = () if estimated else names or tuple(name for name in found if name not in ("file", "split"))
        _require_columns(path, found, given, estimated)
        lines: dict[str, Line] = {}
        for row in reader:
            where, file = f"{path}, line {reader.line_num}", (row["file"] or "").strip()
            if not file:
                raise EarwitnessError(f"{where}: no file; write its path, or take the line out")
            if file in lines:
                raise EarwitnessError(f"{where}: {file} stands in {lines[file].where} already; take one out")
            cells = tuple((row[name] or "").strip() for name in given)
            lines[file] = _line(path.parent, file, where, (row["split"] or "") if "split" in found else None, cells)
    except csv.Error as error:
        raise EarwitnessError(f"{path}, line {reader.line_num}: not CSV: {error}; write it again") from error
    _require_spread(path, tuple(lines.values()), given)
    return list(lines.values()), given or ESTIMATES


def _require_columns(path: Path, found: list[str], given: tuple[str, ...], estimated: bool) -> None:
    """Raise EarwitnessError unless a table has a column for files and for each factor, once."""
    missing = [name for name in ("file", *given) if name not in found]
    if missing:
        raise EarwitnessError(f"{path}: no column {', '.join(missing)}; found {', '.join(found) or 'none'}")
    if len(set(found)) < len(found):
        double = next(name for name in found if found.count(name) > 1)
        raise EarwitnessError(f"{path}: two columns {double!r}; take one out")
    if not given and not estimated:
        raise EarwitnessError(f"{path}: no column of a factor; add one, or set the dataset's factors to {ESTIMATED!r}")


def _line(folder: Path, file: str, where: str, split: str | None = None, cells: tuple[str, ...] = ()) -> Line:
    """A clip; the split of one that has none is drawn from its name. Raises EarwitnessError on an unknown split."""
    if split is None:
        fifth = _draw(file) % 5
        split = next(name for name, fifths in FIFTHS.items() if fifth in fifths)
    elif split.strip() not in SPLITS:
        raise EarwitnessError(f"{where}: split is {split.strip()!r}; write one of {', '.join(SPLITS)}")
    return Line(file, folder / file, split.strip(), cells, where)


def _draw(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def _require_spread(path: Path, lines: Sequence[Line], names: tuple[str, ...]) -> None:
    """Raise EarwitnessError where a factor has one value in all lines that have a number."""
    for column, name in enumerate(names):
        texts = [line.cells[column] for line in lines]
        numbers = {number for number in map(_number, texts) if math.isfinite(number)}
        if texts and not numbers:
            raise EarwitnessError(
                f"{path}: factor {name} holds no number, {texts[0]!r} in its first line; name the columns that do in "
                "the dataset's factors"
            )
        if len(numbers) == 1:
            raise EarwitnessError(
                f"{path}: factor {name} has one value, {numbers.pop():g}, in all lines; leave it out of the dataset's "
                "factors"
            )


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
        _require_two_values(lines, values, plan)
    except InvalidItemError as error:
        fault = str(error)

    def audio(sample_rate: int) -> list[NDArray[np.float32]]:
        if fault:
            raise InvalidItemError(fault)
        return [read_clip(line.path, sample_rate, plan.seconds) for line in lines]

    return Notes(audio, dict(zip(plan.factors, values.T.copy(), strict=True)))


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
