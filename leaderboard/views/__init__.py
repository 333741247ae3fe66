"""How an item of each track is drawn: one file a track, `draw(fields, arrays, explanation, seconds)`.

Beside it `title(fields)`, `choose(fields)`, and three names: `ORIGINAL`, what the item's own sound is called, empty
where it has none; `GIVEN`, whether arrays of the item and of the explanation are read for `draw`; `SOUNDS`, what sounds
that are drawn below are called, by the label of the exhibit. Under `fields["exhibits"]` stand paths by label and part.

A track of another package brings its view by the entry-point group `earwitness.views`, under the track's name.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from earwitness import plugins

KIND = "views"


def find(track: str) -> Any:
    """The view of a track: a file of this package, or what another package plugs in; None where there is neither."""
    try:
        return import_module(f"{__name__}.{track}")
    except ModuleNotFoundError as error:
        if error.name != f"{__name__}.{track}":
            raise
    return plugins.load(KIND, track)


def fault(track: str) -> str:
    """Why a view that is plugged in is of no use; empty where none is."""
    return plugins.fault_of(KIND, track)
