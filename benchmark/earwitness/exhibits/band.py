"""What people see and hear of a band map: each word's map, and the sound without its attention where it is highest.

`map` is left of a task's first items, `deleted` of all, for each instrument word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from earwitness.exhibits.pictures import blend

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from earwitness.exhibits.manifest import Exhibit
    from earwitness.exhibits.writing import ItemExhibits
    from earwitness.tracks.band import BandItem


def sounds(place: ItemExhibits, item: BandItem, deleted: NDArray[np.float32], rate: int) -> Iterator[Exhibit]:
    """Leave the sounds [I, S] without each instrument word's attention."""
    for word, sound in zip(item.instruments, deleted, strict=True):
        yield place.sound("deleted", sound, rate, word)


def pictures(place: ItemExhibits, item: BandItem, maps: NDArray[np.float64]) -> Iterator[Exhibit]:
    """Leave the maps [I, M, T] of the instrument words over the sound's spectrogram."""
    for word, cells in zip(item.instruments, maps, strict=True):
        yield place.picture("map", blend(item.mel.T, cells.T), word)
