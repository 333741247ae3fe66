"""Which records of a published dataset are a task's items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeVar

from numpy.random import default_rng
from pydantic import Field

from earwitness.errors import EarwitnessError

if TYPE_CHECKING:
    from collections.abc import Sequence

Record = TypeVar("Record")
Items = Annotated[int, Field(gt=0, le=100_000)]
"""How many items a task asks for."""
Seed = Annotated[int, Field(ge=0)]
"""What draws them."""


def draw(where: str, found: Sequence[Record], items: int, seed: int) -> list[Record]:
    """`items` records drawn by a seed, in the dataset's order; all of them where there are no more.

    Raises EarwitnessError where there are none.
    """
    if not found:
        raise EarwitnessError(f"{where}: no items in this split")
    chosen = sorted(default_rng(seed).permutation(len(found))[:items].tolist())
    return [found[index] for index in chosen]
