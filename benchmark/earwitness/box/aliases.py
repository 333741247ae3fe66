"""Items under names that tell nothing: ids hold what an item was made of, such as the seed of its world."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from earwitness.tracks import Item

HASHED = 1 << 16
"""Bytes of each array that a name hangs on."""


def alias(item: Item) -> str:
    """A name that follows from what an explainer sees of the item anyway, so that it is the same in every run.

    >>> from earwitness.tracks.prompt import PromptItem
    >>> special = np.array([False, True])
    >>> one = PromptItem("world-7-3", "rain", 1, 2, np.zeros((1, 2), np.int64), ("rain", "</s>"), special)
    >>> alias(one) == alias(replace(one, id="other")), alias(one) == alias(replace(one, explainer_seed=3))
    (True, False)
    """
    fields = {name: value for name, value in item.fields().items() if name != "id"}
    digest = hashlib.sha256(json.dumps(fields, sort_keys=True, default=str).encode())
    for name, array in sorted(item.arrays().items()):
        digest.update(f"{name}{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1)[: HASHED // array.itemsize].tobytes())
    return f"item-{digest.hexdigest()[:12]}"


def aliased(items: Sequence[Item]) -> list[Item]:
    """The items under names that tell nothing; of equal ones each has its own."""
    found: list[Item] = []
    taken: dict[str, int] = {}
    for item in items:
        name = alias(item)
        taken[name] = taken.get(name, 0) + 1
        given: Any = item
        found.append(replace(given, id=name if taken[name] == 1 else f"{name}-{taken[name]}"))
    return found
