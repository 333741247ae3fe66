"""Writing exhibits: a sound, a picture, a curve or a document under the name that its label and part make."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from earwitness.exhibits.manifest import Exhibit, ExhibitKind
from earwitness.exhibits.pictures import png
from earwitness.results.file_names import file_name
from earwitness.results.writing import moved_into_place
from earwitness.scoring.files import write_sound

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

DRAWN = 12
"""Items of a task, from the first, of which pictures are left."""


@dataclass(frozen=True)
class Curve:
    """Lines over a common axis."""

    axis: str
    """What the axis counts."""
    at: Sequence[float]
    """[Q] places on it."""
    lines: Mapping[str, Sequence[float]]
    """[Q] values by name; what is no finite number is left out."""
    values: str = ""
    """What the values are, where all lines are the same thing."""

    def document(self) -> dict[str, Any]:
        """As JSON types.

        >>> Curve("step", [1, 2], {"sound": [1.0, float("nan")]}).document()
        {'x': {'label': 'step', 'values': [1.0, 2.0]}, 'y': {'label': ''}, 'lines': {'sound': [1.0, None]}}
        """
        lines = {name: [float(v) if np.isfinite(v) else None for v in values] for name, values in self.lines.items()}
        return {
            "x": {"label": self.axis, "values": [float(place) for place in self.at]},
            "y": {"label": self.values},
            "lines": lines,
        }


@dataclass(frozen=True)
class ItemExhibits:
    """The exhibits of one item in one folder.

    Every method but `existing` writes a file; it raises EarwitnessError where that cannot be written, and ValueError
    where what it is given is no finite number.
    """

    folder: Path
    item: str

    def sound(self, label: str, wave: NDArray[np.float32], rate: int, part: str = "", ending: str = "ogg") -> Exhibit:
        """Audio [S], as Ogg Vorbis or, with the ending `flac`, as FLAC, which is the same bytes each time."""
        if not np.isfinite(wave).all():
            raise ValueError(f"the sound {label!r} is no finite numbers")
        path = self._path(label, part, ending)
        write_sound(path, wave, rate)
        return self.existing(ExhibitKind.SOUND, label, path, part)

    def picture(self, label: str, pixels: NDArray[np.uint8], part: str = "") -> Exhibit:
        """Pixels [rows, columns, 3] as PNG."""
        path = self._path(label, part, "png")
        with moved_into_place(path) as temporary:
            temporary.write_bytes(png(pixels))
        return self.existing(ExhibitKind.PICTURE, label, path, part)

    def curve(self, label: str, curve: Curve, part: str = "") -> Exhibit:
        """Lines over a common axis, which whoever reads the manifest can draw."""
        return self._json(ExhibitKind.CURVE, label, curve.document(), part)

    def document(self, label: str, found: Mapping[str, Any], part: str = "") -> Exhibit:
        """JSON types, for the track's own view."""
        return self._json(ExhibitKind.DOCUMENT, label, found, part)

    def existing(self, kind: ExhibitKind, label: str, path: Path, part: str = "") -> Exhibit:
        """A file that is there, in this folder or in one that it shares with others."""
        place = os.path.relpath(path.resolve(), self.folder.resolve())
        return Exhibit(self.item, kind, label, place, part)

    def _json(self, kind: ExhibitKind, label: str, found: Mapping[str, Any], part: str) -> Exhibit:
        path = self._path(label, part, "json")
        text = json.dumps(found, allow_nan=False)
        with moved_into_place(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
        return self.existing(kind, label, path, part)

    def _path(self, label: str, part: str, ending: str) -> Path:
        named = f"{label}-{file_name(part)}" if part else label
        return self.folder / f"{file_name(self.item)}.{named}.{ending}"
