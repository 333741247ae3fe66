"""Manifests: which files show an item to people, one JSON document an item in each place that holds some.

There are two places: beside the originals, for the item's own exhibits, and in a run's folder `exhibits/`, for those
that an entrant's explanation left. A manifest, `<item>.exhibits.json`, holds `item`, `problem` and `exhibits`, a list
of `kind`, `label`, `part` and `path`, sorted, so that the same exhibits are the same bytes.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from earwitness.errors import ITEM_FAILED, EarwitnessError, one_line
from earwitness.results.file_names import file_name
from earwitness.results.writing import moved_into_place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

ENDING = ".exhibits.json"
"""Of a manifest's name, behind the item's."""
ORIGINAL = "original"
"""Label of the sound that is explained, where an item is one sound."""


class ExhibitKind(StrEnum):
    """How an exhibit is shown."""

    SOUND = "sound"
    PICTURE = "picture"
    CURVE = "curve"
    """Lines over a common axis, as JSON: `writing.Curve`."""
    DOCUMENT = "document"
    """JSON that the track's own view draws, and nothing else can."""


@dataclass(frozen=True)
class Exhibit:
    """One file that shows something of an item."""

    item: str
    kind: ExhibitKind
    label: str
    """What it is, for people and for views: `original`, `kept`."""
    path: str
    """Relative to the folder of the manifest."""
    part: str = ""
    """Token, word, factor or place that it is about; empty where it is about the whole item."""


def leave(folder: Path, item: str, make: Callable[[], Iterable[Exhibit]]) -> None:
    """Make an item's exhibits and write their manifest; where making them raises, it lists none and says why.

    Raises EarwitnessError and OSError where files cannot be written.
    """
    try:
        # What overflows is no finite number in the end, and is refused where it is written.
        with np.errstate(all="ignore"):
            found, problem = list(make()), ""
    except OSError:
        raise
    except Exception as error:
        if isinstance(error, EarwitnessError) and error.exit_code != ITEM_FAILED:
            raise
        found, problem = [], one_line(error)
    write(folder, item, found, problem)


def write(folder: Path, item: str, exhibits: Iterable[Exhibit], problem: str = "") -> None:
    """Write an item's manifest; raises EarwitnessError where it cannot be written."""
    listed = [
        {"kind": str(exhibit.kind), "label": exhibit.label, "part": exhibit.part, "path": exhibit.path}
        for exhibit in sorted(set(exhibits), key=_order)
    ]
    text = json.dumps({"item": item, "problem": problem, "exhibits": listed}, ensure_ascii=False, indent=1)
    with moved_into_place(folder / f"{file_name(item)}{ENDING}") as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def _order(exhibit: Exhibit) -> tuple[str, list[tuple[bool, float, str]], str]:
    """By label and part, with numbers in a part by their size."""
    pieces = re.split(r"((?:(?<!\S)[+-])?\d+(?:\.\d+)?)", exhibit.part)
    part = [(bool(at % 2), float(piece) if at % 2 else 0.0, piece) for at, piece in enumerate(pieces)]
    return exhibit.label, part, exhibit.path
