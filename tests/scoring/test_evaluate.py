"""From a metric to a value: what is an item's fault is its own row, what is not is raised."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest

from earwitness import metrics
from earwitness.errors import EarwitnessError, InvalidExplanationError
from earwitness.metrics.arrays import UndefinedError
from earwitness.results.rows import Status
from earwitness.scoring.evaluate import evaluate, value_of

SIZE = metrics.get("size")


@dataclass(frozen=True)
class Column:
    id: str = "size"
    metric: Any = SIZE


def raising(error: Exception) -> float:
    raise error


def test_a_number_is_a_value() -> None:
    value = value_of(Column(), 3, lambda: np.float32(0.5))
    assert (value.metric, value.generation_seed, value.value, value.status, value.reason) == ("size", 3, 0.5, "ok", "")


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (UndefinedError("no word is null"), Status.SKIPPED, "no word is null"),
        (ValueError("p must be finite"), Status.FAILED, "size: ValueError: p must be finite"),
        (ZeroDivisionError("division by zero"), Status.FAILED, "size: ZeroDivisionError: division by zero"),
        (OverflowError("too large"), Status.FAILED, "size: OverflowError: too large"),
        (np.linalg.LinAlgError("SVD did not converge"), Status.FAILED, "size: LinAlgError: SVD did not converge"),
        (IndexError("nothing\nfound"), Status.FAILED, "size: IndexError: nothing found"),
        (InvalidExplanationError("weights are none"), Status.FAILED, "size: weights are none"),
    ],
)
def test_what_a_metric_raises_is_a_row_with_its_reason(error: Exception, status: str, reason: str) -> None:
    value = value_of(Column(), 0, partial(raising, error))
    assert (value.value, value.status, value.reason) == (None, status, reason)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_has_failed(number: float) -> None:
    value = value_of(Column(), 0, lambda: number)
    assert (value.value, value.status, value.reason) == (None, Status.FAILED, f"the metric gave {number}")


@pytest.mark.parametrize("error", [MemoryError(), OSError(28, "No space left on device"), EarwitnessError("no model")])
def test_what_is_no_items_fault_is_raised(error: Exception) -> None:
    with pytest.raises(type(error)):
        value_of(Column(), 0, partial(raising, error))
    with pytest.raises(type(error)):
        evaluate([("a", 1.0)], [(Column(), 0)], partial(_failing, error, "a"))


def _failing(error: Exception, item: str, pairs: Sequence[tuple[str, float]]) -> Callable[[int, Column, int], float]:
    """Responses to pairs of which one item's are none."""
    if any(name == item for name, _ in pairs):
        raise error
    return lambda at, column, seed: pairs[at][1] + seed


def test_an_item_whose_responses_fail_costs_no_other_item_of_its_shard() -> None:
    pairs, columns = [("a", 1.0), ("b", 2.0), ("c", 3.0)], [(Column(), 0), (Column(), 10)]
    values = evaluate(pairs, columns, partial(_failing, RuntimeError("shapes differ"), "b"))
    assert [[value.value for value in own] for own in values] == [[1.0, 11.0], [None, None], [3.0, 13.0]]
    assert {value.reason for value in values[1]} == {"size: RuntimeError: shapes differ"}


def test_together_as_one_by_one() -> None:
    pairs, columns = [("a", 1.0), ("b", 2.0)], [(Column(), 0)]
    respond = partial(_failing, RuntimeError(), "nobody")
    assert evaluate(pairs, columns, respond) == [evaluate([pair], columns, respond)[0] for pair in pairs]
    assert evaluate([], columns, respond) == []
