"""Where the tracks of Slakh2100 and BabySlakh lie, and the prompts that a folder has for them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from earwitness.datasets.audio_files import SUFFIXES
from earwitness.datasets.captions import Columns, read_csv, records
from earwitness.datasets.folders import is_hidden
from earwitness.errors import EarwitnessError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

PROMPTS = "prompts.csv"
METADATA = "metadata.yaml"
SPLITS = ("train", "validation", "test", "omitted")
"""Names of the splits' folders."""
COLUMNS = Columns(key="track", caption="prompt", cluster="track")


def find_tracks(source: Path, split: str) -> list[Path]:
    """Folders of a split's tracks, in order; raises EarwitnessError, saying what is there, where there are none."""
    folder = source / split
    if folder.is_dir():
        return _folders(folder)
    loose = [path for path in _folders(source) if _is_track(path)]
    if not loose:
        inner = next((path for path in _folders(source) if (path / split).is_dir() or _holds_loose(path)), None)
        if inner:
            raise EarwitnessError(f"{folder}: no such folder; name {inner} as the task's dataset source")
        there = ", ".join(path.name for path in _folders(source)[:5]) or "no folder"
        raise EarwitnessError(
            f"{folder}: no such folder; unpack Slakh2100's {split} there, or name the folder that holds {split} as the "
            f"task's dataset source: {there} in {source}"
        )
    if split == "train":
        raise EarwitnessError(f"{source}: its tracks stand in no folder of a split, so that none are of train")
    return loose


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_dir() and not is_hidden(path, folder))


def _is_track(folder: Path) -> bool:
    """Whether a folder is a track's, of use or not."""
    return any((folder / name).exists() for name in (METADATA, "stems"))


def _holds_loose(folder: Path) -> bool:
    """Whether a folder is no split and holds tracks."""
    return folder.name not in SPLITS and any(map(_is_track, _folders(folder)))


def read_prompts(source: Path, tracks: Collection[str]) -> dict[str, str]:
    """Prompts by track of a folder's table; none where it has no table.

    A track may be written in other case, with folders before it or with a file's ending, and may be of another split
    that is there. Raises EarwitnessError where it is in no folder, or two lines are of one track.
    """
    path = source / PROMPTS
    if not os.path.lexists(path):
        return {}
    lines = read_csv(path, COLUMNS)
    splits = [each for each in _folders(source) if each.name not in tracks and not _is_track(each)]
    others = [each for split in splits for each in _folders(split)]
    there = {*tracks, *(each.name for each in (*others, *filter(_is_track, _folders(source))))}
    folded = {name.casefold(): name for name in sorted(there)}
    found: dict[str, tuple[int, str]] = {}
    for (number, _), line in zip(lines, records(str(path), lines, COLUMNS), strict=True):
        name = _track_name(line.id, there, folded)
        if not name:
            raise EarwitnessError(
                f"{path}, line {number}: no folder of a track {line.id!r} in {source}; unpack it, or take the line out"
            )
        if name in found:
            raise EarwitnessError(
                f"{path}, line {number}: track {line.id!r} stands in line {found[name][0]} already; take one out"
            )
        found[name] = (number, line.prompt)
    return {name: prompt for name, (_, prompt) in found.items()}


def _track_name(told: str, there: Collection[str], folded: Mapping[str, str]) -> str:
    """The folder that a table means; empty where there is none.

    >>> _track_name("test/track00001.mid", {"Track00001"}, {"track00001": "Track00001"})
    'Track00001'
    """
    name = told.replace("\\", "/").rstrip("/").rpartition("/")[2]
    stem, dot, suffix = name.rpartition(".")
    bare = stem if f"{dot}{suffix}".lower() in (*SUFFIXES, ".mid", ".midi") else name
    return next((each for each in (name, bare) if each in there), "") or folded.get(bare.casefold(), "")
