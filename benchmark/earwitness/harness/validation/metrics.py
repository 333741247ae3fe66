"""The suite of a metric: its declaration, its example, and what it makes of arrays."""

from __future__ import annotations

import doctest
import inspect
import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from earwitness import tracks
from earwitness.harness.validation.steps import Options, Report, Say, Step, report

if TYPE_CHECKING:
    from collections.abc import Iterator

    from earwitness.metrics import MetricSpec

DRAWS = 5
SHAPE = re.compile(r"`(\w+)`[^`\[]*\[([A-Z](?:, [A-Z])*)\]")
"""An array that a docstring gives the shape of: "`maps` [I, M, T]"."""
LONGEST_AXIS = 6


def validate(spec: MetricSpec, options: Options, say: Say) -> Report:
    """Check a metric."""
    steps = [
        Step("its declaration", lambda: undeclared(spec)),
        Step("its example", lambda: wrong_example(spec)),
        Step("whether it is pure and stays in its range", lambda: impure(spec)),
    ]
    return report("metric", spec.name, steps, say)


def undeclared(spec: MetricSpec) -> Iterator[str]:
    """What is missing from a metric's declaration."""
    track, (low, high) = getattr(spec.response, "track", None), spec.range
    if track not in tracks.names():
        yield f"it reads {spec.response.__name__}, which is a response of no track: give the class a `track`"
    if spec.direction not in ("higher", "lower", "none"):
        yield f"direction must be higher, lower or none; found {spec.direction!r}"
    if not low < high:
        yield f"range must be (lowest, highest); found ({low}, {high})"
    if not spec.summary:
        yield "it has no docstring; say what it measures, and what its arrays are"
    taken = inspect.signature(spec.function).parameters
    for name in spec.own:
        if taken[name].annotation is inspect.Parameter.empty:
            yield f"parameter {name} has no annotation, by which values are checked; write its type"
        if taken[name].default is inspect.Parameter.empty:
            yield f"parameter {name} has no default; give it one"
    if not _arrays(spec):
        yield "it takes no arrays: the response's arrays come first, its own parameters after a star"


def wrong_example(spec: MetricSpec) -> Iterator[str]:
    """Whether the docstring has an example that comes out as it is written."""
    scope = {**vars(inspect.getmodule(spec.function)), spec.name: spec.function}
    examples = doctest.DocTestFinder(recurse=False).find(spec.function, spec.name, globs=scope)
    examples = [each for each in examples if each.examples]
    if not examples:
        yield f"its docstring has no example; write one of known value: >>> {spec.name}(...)"
    said: list[str] = []
    for example in examples:
        doctest.DocTestRunner(verbose=False).run(example, out=said.append, clear_globs=False)
    if said:
        yield f"its example comes out otherwise: {' '.join(' '.join(said).split('Failed example:')[-1].split())}"


def impure(spec: MetricSpec) -> Iterator[str]:
    """Whether it gives one value twice, leaves its arrays alone, and stays in its range.

    It is tried on the arrays of its example, and on random ones where its docstring tells their shapes.
    """
    tried = [*_examples(spec), *_random(spec)]
    if not tried:
        yield f"its example calls {spec.name} with no arrays that can be read; write them out in the call"
    for arrays, given in tried:
        kept = [np.array(array, copy=True) for array in arrays]
        try:
            values = [float(spec.function(*arrays, **given)) for _ in range(2)]
        except ValueError:
            # An item may leave it without a value, and a random one be none at all.
            continue
        yield from _wrong(spec, arrays, kept, values)


def _wrong(spec: MetricSpec, arrays: list[Any], kept: list[Any], values: list[float]) -> Iterator[str]:
    low, high = spec.range
    slack = 1e-9 * max([1.0, *(abs(end) for end in spec.range if math.isfinite(end))])
    if not all(np.array_equal(array, before) for array, before in zip(arrays, kept, strict=True)):
        yield "it changes its arrays; copy them first"
    if values[0] != values[1]:
        yield f"it gives {values[0]:.6g} and then {values[1]:.6g} of the same arrays; it must hang on them alone"
    elif not math.isfinite(values[0]):
        yield f"it gives {values[0]}; raise `UndefinedError` where an item leaves it without a value"
    elif not low - slack <= values[0] <= high + slack:
        yield f"it gives {values[0]:.6g}, and its range is {low:g} to {high:g}"


def _arrays(spec: MetricSpec) -> list[str]:
    return [name for name in inspect.signature(spec.function).parameters if name not in spec.own]


def _examples(spec: MetricSpec) -> Iterator[tuple[list[Any], dict[str, Any]]]:
    """The arrays and parameters of the calls of its example, as they are when it runs."""
    seen: list[tuple[list[Any], dict[str, Any]]] = []

    def listening(*arrays: Any, **given: Any) -> float:
        arrays_by_name = inspect.signature(spec.function).bind(*arrays, **given).arguments
        asked = [_array(arrays_by_name[name]) for name in _arrays(spec) if name in arrays_by_name]
        seen.append((asked, {name: given[name] for name in spec.own if name in given}))
        return spec.function(*arrays, **given)

    scope = {**vars(inspect.getmodule(spec.function)), spec.name: listening}
    for test in doctest.DocTestFinder(recurse=False).find(spec.function, spec.name, globs=scope):
        doctest.DocTestRunner(verbose=False).run(test, out=lambda _: None)
    yield from seen


def _array(value: Any) -> Any:
    """A list of numbers as an array, so that a change of it is seen; anything else as it is."""
    try:
        return np.array(value) if isinstance(value, list) else value
    except ValueError:
        return value


def _random(spec: MetricSpec) -> Iterator[tuple[list[Any], dict[str, Any]]]:
    """Arrays in [0, 1) of the shapes that its docstring tells; none where it does not tell all of them."""
    shapes = dict(SHAPE.findall(spec.function.__doc__ or ""))
    if set(shapes) < set(_arrays(spec)):
        return
    draw = np.random.default_rng(7)
    for _ in range(DRAWS):
        sizes = {letter: int(draw.integers(2, LONGEST_AXIS)) for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
        yield [draw.random([sizes[axis] for axis in shapes[name].split(", ")]) for name in _arrays(spec)], {}
