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
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from earwitness.datasets import ConceptRecord, Notes
from earwitness.datasets.audio_files import opened, read_audio
from earwitness.datasets.cells import as_number
from earwitness.datasets.folders import as_path
from earwitness.datasets.notes_table import (
    ESTIMATED,
    ESTIMATES,
    SPLITS,
    TABLE,
    Line,
    canonical,
    draw_number,
    foreign,
    found_clips,
    tabled_clips,
)  # fmt: skip
from earwitness.datasets.subset import Items, Seed, validated
from earwitness.errors import EarwitnessError, InvalidItemError
from earwitness.worlds.estimators import ESTIMATORS, estimate

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ESTIMATORS", "load"]

FOLDS = 5
"""Folds in which a probe's strength is chosen on the training clips."""


@dataclass(frozen=True)
class NotesPlan:
    """What of a folder is used, and how."""

    factors: tuple[str, ...]
    estimated: bool
    seconds: float


@validated
def load(
    source: str,
    *,
    split: str = "test",
    items: Items,
    seed: Seed = 0,
    factors: str | Sequence[str] = (),
    seconds: Annotated[float, Field(gt=0, le=3600)] = 2.0,
    folds: Annotated[int, Field(ge=2, le=1000)] = FOLDS,
) -> list[ConceptRecord]:
    """Studies of a folder's clips: its training clips, and those of `split`, dealt to `items` records by a seed.

    `factors` names columns of `notes.csv`; where it is empty, those of the estimators' names are taken, and there must
    be no other but an index. Or it is "estimated": pitch, loudness and brightness of each clip are then estimated from
    its sound, and no table is needed. The first `seconds` of each clip are used. Without a column `split`, a hash of
    the file's name deals three fifths to train and one each to validation and test. A clip that is no use (missing,
    silent, clipped, short, a factor that is no number or none of its unit) is told when its record's sound is asked
    for. Raises EarwitnessError, in one line, where the table cannot be read or names a clip twice, a factor has one
    value, or a record has fewer training or test clips than `folds`.
    """
    folder, estimated = as_path(source), factors == ESTIMATED
    if not folder.is_dir():
        raise EarwitnessError(f"{folder}: no such folder; name the folder of audio as the task's dataset source")
    if SPLITS.get(split, "train") == "train":
        raise EarwitnessError(f"clips are tried on the split validation or test; found split = {split!r}")
    split = SPLITS[split]
    if isinstance(factors, str) and not estimated:
        raise EarwitnessError(f'factors is a list of columns of {TABLE}, or "{ESTIMATED}"; found {factors!r}')
    if not estimated and len(set(map(canonical, factors))) < len(factors):
        raise EarwitnessError(f"factors names a column twice: {', '.join(factors)}; name each once")
    if estimated and not (folder / TABLE).exists():
        lines, plan = found_clips(folder), NotesPlan(ESTIMATES, True, seconds)
    else:
        lines, names = tabled_clips(folder / TABLE, () if estimated else tuple(map(canonical, factors)), estimated)
        plan = NotesPlan(names, estimated, seconds)
    train, test = (_dealt(lines, which, items, seed) for which in ("train", split))
    for which, parts in (("train", train), (split, test)):
        if min(map(len, parts)) < folds:
            raise EarwitnessError(
                f"{folder}: {sum(map(len, parts))} {which} clips where items = {items}, and an item needs at least "
                f"{folds}, the folds of a probe; add clips, or lower the dataset's items"
            )
    dealt = zip(train, test, strict=True)
    return [_record(f"{split}-{number:05d}", *parts, plan) for number, parts in enumerate(dealt)]


def _dealt(lines: Sequence[Line], split: str, items: int, seed: int) -> list[list[Line]]:
    """A split's clips, dealt to items in an order that a seed draws; in each they stand in the table's order."""
    chosen = [index for index, line in enumerate(lines) if line.split == split]
    order = sorted(chosen, key=lambda index: draw_number(f"{seed}|{lines[index].file}"))
    return [[lines[index] for index in sorted(order[item::items])] for item in range(items)]


def _record(name: str, train: list[Line], test: list[Line], plan: NotesPlan) -> ConceptRecord:
    return ConceptRecord(
        id=name,
        cluster=name,
        train=_notes(train, plan),
        test=_notes(test, plan),
        estimated=plan.factors if plan.estimated else (),
    )


def _notes(lines: list[Line], plan: NotesPlan) -> Notes:
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


def _require_units(lines: list[Line], values: NDArray[np.float64], plan: NotesPlan) -> None:
    for line, row in zip(lines, values.tolist(), strict=True):
        for name, number in zip(plan.factors, row, strict=True):
            if not plan.estimated and foreign(name, number):
                raise InvalidItemError(f"{line.where}: factor {name}: {foreign(name, number)}")


def _require_two_values(lines: list[Line], values: NDArray[np.float64], plan: NotesPlan) -> None:
    for name, column in zip(plan.factors, values.T, strict=True):
        if (column == column[0]).all():
            raise InvalidItemError(
                f"factor {name} has one value, {column[0]:g}, in the item's {len(lines)} {lines[0].split} clips; lower "
                "the dataset's items, or leave the factor out"
            )


def _given(line: Line, plan: NotesPlan) -> list[float]:
    """The factors' numbers of a line; raises InvalidItemError where one is none."""
    for name, text in zip(plan.factors, line.cells, strict=True):
        if not math.isfinite(as_number(text)):
            raise InvalidItemError(
                f"{line.where}: factor {name} is {text!r}, which is no finite number; write one, or take the line out"
            )
    return [as_number(text) for text in line.cells]


def _estimates(line: Line, plan: NotesPlan) -> list[float]:
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
