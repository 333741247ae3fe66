"""Which records of a published dataset are a task's items."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast

from numpy.random import default_rng
from pydantic import Field

from earwitness.errors import EarwitnessError
from earwitness.parameters import checked

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Record = TypeVar("Record")
Load = TypeVar("Load", bound="Callable[..., Any]")
Items = Annotated[int, Field(gt=0, le=100_000)]
"""How many items a task asks for."""
Seed = Annotated[int, Field(ge=0)]
"""What draws them."""


def validated(load: Load) -> Load:
    """A dataset's `load` that raises ParameterError for a keyword that its annotations do not allow, whoever calls it.

    >>> @validated
    ... def load(source: str = "", *, items: Items, seed: Seed = 0) -> list[int]:
    ...     return list(range(seed, seed + items))
    >>> load(items=2)
    [0, 1]
    >>> load(items=-1)
    Traceback (most recent call last):
    ...
    earwitness.parameters.ParameterError: parameter items must be greater than 0, not -1
    """

    @functools.wraps(load)
    def called(source: str = "", **parameters: Any) -> Any:
        return load(source, **checked(load, parameters, excluded=("source",)))

    return cast("Load", called)


def draw(where: str, found: Sequence[Record], items: int, seed: int) -> list[Record]:
    """`items` records drawn by a seed, in the dataset's order; all of them where there are no more.

    Raises EarwitnessError where there are none.
    """
    if not found:
        raise EarwitnessError(f"{where}: no items in this split")
    chosen = sorted(default_rng(seed).permutation(len(found))[:items].tolist())
    return [found[index] for index in chosen]
