"""The task's hash in rows: what is explained, with the seed that shifts all seeds and that of fresh items after it."""

from __future__ import annotations

import re
from typing import NamedTuple

FRESH, SHIFTED = "-fresh", "-seed"
"""What stands before the seed of fresh items, and before the one that shifts all seeds."""


class TaskHash(NamedTuple):
    """A task's hash, read: rows of one task meet where all of it is the same."""

    base: str
    """Identity of what is explained."""
    seed: int = 0
    """`--seed`: what all seeds are shifted by."""
    fresh: int | None = None
    """`--fresh`: seed of items that are not the card's; None for the card's."""

    @property
    def text(self) -> str:
        """As rows have it.

        >>> TaskHash("0af3", 5, 2).text
        '0af3-seed5-fresh2'
        """
        shifted = f"{SHIFTED}{self.seed}" if self.seed else ""
        return self.base + shifted + ("" if self.fresh is None else f"{FRESH}{self.fresh}")

    @property
    def originals(self) -> str:
        """Name of the folder in which scoring keeps what is explained.

        >>> TaskHash("0af3").originals
        '0af3-seed0'
        """
        return self._replace(base=f"{self.base}{SHIFTED}{self.seed}", seed=0).text


_SHAPE = re.compile(rf"(.*?)(?:{SHIFTED}(\d+))?(?:{FRESH}(\d+))?")


def parted(text: str) -> TaskHash:
    """The parts of a task's hash as rows have it.

    >>> parted("0af3-seed5-fresh2"), parted("0af3")
    (TaskHash(base='0af3', seed=5, fresh=2), TaskHash(base='0af3', seed=0, fresh=None))
    """
    found = _SHAPE.fullmatch(text)
    if found is None:  # a name that holds line ends, of rows that no run wrote
        return TaskHash(text)
    base, seed, fresh = found.groups()
    return TaskHash(base, int(seed or 0), None if fresh is None else int(fresh))
