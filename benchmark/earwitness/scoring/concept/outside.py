"""What of the concept track goes through files: latents to fit dictionaries on, and the dictionaries' arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from earwitness.scoring.outside import ExpectedArray, TrackOutside
from earwitness.tracks.concept import ACTIVATIONS

if TYPE_CHECKING:
    from earwitness.tracks.concept import ConceptItem


class ConceptOutside(TrackOutside):
    """A dictionary for each of an item's seeds."""

    def expected(self, item: ConceptItem) -> tuple[ExpectedArray, ...]:
        """The parts of each dictionary, of as many features C as it likes, and its settings."""
        return tuple(
            array for number in range(len(item.explainer_seeds)) for array in _dictionary(number, item.train.shape[-1])
        )


def _dictionary(number: int, width: int) -> tuple[ExpectedArray, ...]:
    """The arrays of the dictionary that is fitted under the seed of that number."""
    names = ", ".join(f"{place} {name}" for place, name in enumerate(ACTIVATIONS))
    return (
        ExpectedArray(f"{number}.encoder", ((width, None),), "[D, C] the way to features"),
        ExpectedArray(f"{number}.bias", ((None,),), "[C] added to what the encoder gives"),
        ExpectedArray(f"{number}.decoder", ((None, width),), "[C, D] the way back"),
        ExpectedArray(f"{number}.offset", ((width,),), "[D] taken off latents before, and added after"),
        ExpectedArray(
            f"{number}.settings",
            ((4,),),
            f"the activation ({names}), k of topk, threshold, 1 where features are normalised",
            dtype="float64",
        ),
    )


OUTSIDE = ConceptOutside()
