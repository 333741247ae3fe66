"""Declarations of metrics, and the calls that their docstrings show, which are made again here with arrays."""

from __future__ import annotations

import copy
import doctest
import inspect
import math
from typing import Any, get_args

import numpy as np
import pytest

from earwitness import metrics, registry
from earwitness.errors import EarwitnessError
from earwitness.metrics.arrays import UndefinedError, real

NAMES = sorted(metrics.all_metrics())


def shown_calls(metric: metrics.MetricSpec) -> list[inspect.BoundArguments]:
    """Calls of the metric in its docstring, of arrays; what they print must be what stands there."""
    calls: list[inspect.BoundArguments] = []

    def noted(*arguments: Any, **named: Any) -> float:
        value = metric.function(*arguments, **named)
        called = inspect.signature(metric.function).bind(*arguments, **named)
        called.arguments = {key: np.array(given) for key, given in called.arguments.items()}
        calls.append(called)
        return value

    names = {**metric.function.__globals__, metric.name: noted}
    (example,) = doctest.DocTestFinder(recurse=False).find(metric.function, metric.name, globs=names)
    assert doctest.DocTestRunner(verbose=False).run(example).failed == 0
    return calls


@pytest.mark.parametrize("name", NAMES)
def test_a_metric_is_a_pure_function_to_one_number_in_its_range(name: str) -> None:
    metric = metrics.get(name)
    calls = shown_calls(metric)
    assert calls, f"the docstring of {name} shows no call of it"
    for call in calls:
        before = copy.deepcopy(call.arguments)
        value = metric.function(*call.args, **call.kwargs)
        assert type(value) is float
        assert metric.range[0] <= value <= metric.range[1]
        assert metric.function(*call.args, **call.kwargs) == value
        assert all(np.array_equal(call.arguments[name], array) for name, array in before.items())


@pytest.mark.parametrize("name", NAMES)
def test_a_metric_says_what_it_is_and_what_it_reads(name: str) -> None:
    metric = metrics.get(name)
    assert metric.summary.endswith(".")
    assert metric.reads
    assert metric.direction in get_args(metrics.Direction)
    assert metric.range[0] < metric.range[1]
    assert not math.isnan(sum(metric.range)) or metric.range == (-math.inf, math.inf)


def test_what_defines_a_metric_is_a_submission_of_its_track() -> None:
    defined = {name: metrics.get(name).defined_by for name in NAMES if metrics.get(name).defined_by}
    assert {"swap_corr", "shapley_spearman"} <= set(defined)
    for name, submissions in defined.items():
        for submission in submissions:
            assert metrics.get(name).track in registry.submission(submission).card.explainers


def test_a_misspelt_metric_is_answered_with_the_nearest() -> None:
    with pytest.raises(EarwitnessError, match="did you mean 'word_ap'"):
        metrics.get("wordap")


def test_arrays_are_checked_for_shape_and_finiteness() -> None:
    with pytest.raises(ValueError, match="2 dimensions"):
        real("weights", [1.0], 2)
    with pytest.raises(ValueError, match="1 NaN or infinite"):
        real("weights", [1.0, np.inf], 1)
    assert issubclass(UndefinedError, ValueError)
