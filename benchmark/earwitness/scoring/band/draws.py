"""Arrays of the band track's responses at random, as its scoring gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from earwitness.metrics.band import top_cells, upper_half
from earwitness.metrics.responses.band import (
    Cells,
    ChosenCells,
    DeletedPresence,
    FreshPresence,
    SoundingCells,
    TimedCells,
    WordDifference,
)
from earwitness.scoring.draws import length, marks, weights

if TYPE_CHECKING:
    from earwitness.metrics import Response


def draw(response: Response, random: np.random.Generator) -> tuple[Any, ...]:
    """Arrays that fit a response; raises NotImplementedError where it is none of the track's."""
    instruments = length(random)
    shape = (instruments, length(random), length(random))
    maps, truth = weights(random, shape), marks(random, shape)
    match response:
        case ChosenCells(cut="half"):
            return np.stack([upper_half(own) for own in maps]), truth
        case ChosenCells():
            tie = random.permutation(truth[0].size).reshape(truth[0].shape)
            cut = [top_cells(own, int(true.sum()), tie) for own, true in zip(maps, truth, strict=True)]
            return np.stack(cut), truth
        case Cells() | TimedCells():
            return maps, truth
        case SoundingCells():
            return (truth,)
        case WordDifference():
            return maps, weights(random, shape)
        case DeletedPresence():
            return random.random(instruments), random.random((instruments, instruments))
        case FreshPresence():
            return random.random(instruments), random.random(instruments)
    raise NotImplementedError(f"no arrays of {type(response).__name__} are drawn")
