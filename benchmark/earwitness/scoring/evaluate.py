"""The one way from a metric to a value: ok, skipped or failed, with the reason, for every track.

Whatever a metric or a response raises on an item becomes that item's values, which rank at the floor; the other items
that are scored with it keep theirs. What is no item's fault (a full disk, a model that cannot be read, no memory) is
raised: nothing is then written of the shard, and the same command resumes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from earwitness.errors import ITEM_FAILED, EarwitnessError, one_line, short
from earwitness.metrics.arrays import UndefinedError
from earwitness.results.status import Status
from earwitness.scoring import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from earwitness.scoring.columns import Column


PairT = TypeVar("PairT", bound="tuple[Any, Any]")


def evaluate(
    pairs: Sequence[PairT],
    columns: Sequence[tuple[Column, int]],
    respond: Callable[[Sequence[PairT]], Callable[[int, Column, int], float]],
) -> list[list[Value]]:
    """Values of each pair of item and explanation, one for each pair of metric and generation seed in `columns`.

    `respond(pairs)` asks model and judges about all pairs together and returns the function that gives the number of
    the pair at a position, for a metric and a seed. Where it raises on several pairs, each is asked about alone, so
    that only the one that it raises on fails. Raises what is no item's fault.
    """
    try:
        number = respond(pairs)
    except Exception as error:
        _raise_what_is_no_items_fault(error)
        if len(pairs) > 1:
            return [values for pair in pairs for values in evaluate([pair], columns, respond)]
        return [[_without(column, seed, error) for column, seed in columns] for _ in pairs]
    return [
        [value_of(column, seed, lambda: number(at, column, seed)) for column, seed in columns]  # noqa: B023
        for at in range(len(pairs))
    ]


def value_of(column: Column, seed: int, compute: Callable[[], float]) -> Value:
    """The value that a metric's number is: `skipped` where it is undefined on the item, `failed` where it raises
    anything else or is not finite.

    Raises what is no item's fault.
    """
    try:
        # What overflows is no finite number in the end, and says so in the row.
        with np.errstate(all="ignore"):
            number = float(compute())
    except Exception as error:
        _raise_what_is_no_items_fault(error)
        return _without(column, seed, error)
    if not math.isfinite(number):
        return Value(column.id, seed, None, Status.FAILED, f"the metric gave {number}")
    return Value(column.id, seed, number, Status.OK)


def _without(column: Column, seed: int, error: Exception) -> Value:
    """The value of a metric that an error left without a number."""
    if isinstance(error, UndefinedError):
        return Value(column.id, seed, None, Status.SKIPPED, short(str(error)))
    return Value(column.id, seed, None, Status.FAILED, short(f"{column.metric.name}: {one_line(error)}"))


def _raise_what_is_no_items_fault(error: Exception) -> None:
    """Raise an error of the machine or of the task; return where an item or its explanation is to blame."""
    out_of_memory = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    of_the_task = isinstance(error, EarwitnessError) and error.exit_code != ITEM_FAILED
    if out_of_memory or of_the_task or isinstance(error, OSError):
        raise error
