"""Clusters of items: what makes items depend on each other, in one way (a caption) or in several that are crossed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

CROSS = " × "
"""Between the names of crossed clusters: `open the door × gmw/en+anika` shares its sentence with some items and its
voice with others."""


def crossed(*names: str) -> str:
    """The cluster of an item that depends on others in several ways, by its names in each.

    >>> crossed("open the door", "anika")
    'open the door × anika'
    """
    return CROSS.join(name.replace(CROSS, " x ") for name in names)


def ways(names: Sequence[str]) -> NDArray[np.int64]:
    """[N, W] number of each item's cluster in each of W ways, from 0 without gaps, in the order of their names.

    One way where the items do not all name as many.

    >>> ways(["a × y", "b × x", "a × x"]).tolist()
    [[0, 1], [1, 0], [0, 0]]
    """
    split = [name.split(CROSS) for name in names]
    if len({len(parts) for parts in split}) > 1:
        split = [[name] for name in names]
    columns = [np.unique(column, return_inverse=True)[1] for column in zip(*split, strict=True)]
    return np.stack(columns, axis=1).astype(np.int64) if columns else np.zeros((0, 1), dtype=np.int64)
