"""What people see and hear of a token map: the map, and the sounds of what it marks and of what it leaves.

`kept` and `removed` are left of every item, `map` of a task's first ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from earwitness.exhibits.pictures import token_map

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from earwitness.exhibits.manifest import Exhibit
    from earwitness.exhibits.writing import ItemExhibits
    from earwitness.tracks.prompt import PromptItem, TokenMap

KEPT, REMOVED = "kept", "removed"


def sounds(place: ItemExhibits, heard: Mapping[str, NDArray[np.float32]], rate: int) -> Iterator[Exhibit]:
    """Leave sounds [S] by label."""
    for label, sound in heard.items():
        yield place.sound(label, sound, rate)


def picture(place: ItemExhibits, item: PromptItem, explanation: TokenMap) -> Exhibit:
    """Leave the weight of each token of the prompt over time."""
    weights, _ = explanation.framewise(item.codes.shape[1])
    said = ~item.special
    tokens = [token.removeprefix("▁") for token, own in zip(item.tokens, said, strict=True) if own]
    return place.picture("map", token_map(tokens, weights[:, said]))
