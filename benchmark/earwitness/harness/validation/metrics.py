"""The suite of a metric: its declaration, its example, and what it makes of arrays."""

from __future__ import annotations

import doctest
import inspect
import math
from copy import deepcopy
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from earwitness import tracks
from earwitness.errors import EarwitnessError, one_line, short
from earwitness.harness.validation import contracts
from earwitness.harness.validation.alike import plain
from earwitness.harness.validation.pace import in_words, paced
from earwitness.harness.validation.steps import Options, Report, ReportNote, Say, Step, report
from earwitness.metrics.arrays import UndefinedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from earwitness.metrics import MetricSpec

DRAWS = 20
SEED = 7


def validate(spec: MetricSpec, options: Options, say: Say) -> Report:
    """Check a metric."""
    steps = [
        Step("its declaration", lambda: undeclared(spec)),
        Step("its example", lambda: wrong_example(spec)),
        Step("whether it is pure and stays in its range, on its example", lambda: impure_on_example(spec)),
        Step(f"the same on {DRAWS} draws of the arrays that it reads", lambda: impure_on_draws(spec, say)),
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


def impure_on_example(spec: MetricSpec) -> Iterator[str]:
    """Whether it gives one value twice, leaves its arrays alone and stays in its range, on those of its example."""
    tried = _examples(spec)
    if not tried:
        yield f"its example calls {spec.name} with no arrays that can be read; write them out in the call"
    for arrays, given in tried:
        kept = deepcopy(arrays)
        values = [float(spec.function(*arrays, **given)) for _ in range(2)]
        yield from _wrong(spec, arrays, kept, values)


def impure_on_draws(spec: MetricSpec, say: Say) -> Iterator[str]:
    """The same on arrays at random that fit its response, on which nothing but `UndefinedError` may be raised.

    Notes how long a value takes, and on how many draws it has none; says so where no arrays can be drawn.
    """
    random = np.random.default_rng(SEED)
    seconds: list[float] = []
    undefined: list[str] = []
    try:
        draws = [contracts.drawn(spec.response(), random) for _ in range(DRAWS)]
    except (EarwitnessError, TypeError) as error:
        yield ReportNote(f"not tried on arrays of {spec.response.__name__}: {one_line(error)}")
        return
    for arrays in paced(draws, DRAWS, "draws of arrays tried", say):
        kept, values = deepcopy(arrays), []
        try:
            for _ in range(2):
                begun = perf_counter()
                # As scoring does: what overflows is no finite number in the end.
                with np.errstate(all="ignore"):
                    values.append(float(spec.function(*arrays)))
                seconds.append(perf_counter() - begun)
        except UndefinedError as error:
            undefined.append(short(str(error)))
            continue
        except Exception as error:
            yield (
                f"it raises {one_line(error)} on arrays that fit {spec.response.__name__} ({_shapes(kept)}); raise "
                "`UndefinedError` where an item leaves it without a value"
            )
            return
        faults = list(_wrong(spec, arrays, kept, values))
        if faults:
            yield from (f"{fault} ({_shapes(kept)})" for fault in faults)
            return
    yield from map(ReportNote, _measured(spec, seconds, undefined))


def _measured(spec: MetricSpec, seconds: list[float], undefined: list[str]) -> Iterator[str]:
    """What was seen of a metric on draws without a fault."""
    if undefined:
        some = f"{len(undefined)} of {DRAWS} draws of {spec.response.__name__}"
        yield f"{some} leave it without a value, the first because: {undefined[0]}"
    if seconds:
        yield f"a value took {in_words(median(seconds))}, on arrays of a few entries an axis"
    else:
        yield f"not tried on arrays of {spec.response.__name__} that it has a value on"


def _shapes(arrays: Any) -> str:
    """Shapes of arrays as they are written: [2, 3] and [2]."""
    return " and ".join(str(list(np.shape(each))) if _is_array(each) else repr(each)[:40] for each in arrays)


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray) or (isinstance(value, list) and all(np.ndim(each) == 0 for each in value))


def _wrong(spec: MetricSpec, arrays: Any, kept: Any, values: list[float]) -> Iterator[str]:
    low, high = spec.range
    slack = 1e-9 * max([1.0, *(abs(end) for end in spec.range if math.isfinite(end))])
    if plain(arrays) != plain(kept):
        yield "it changes its arrays; copy them first"
    if values[0] != values[1]:
        yield f"it gives {values[0]:.6g} and then {values[1]:.6g} of the same arrays; it must hang on them alone"
    elif not math.isfinite(values[0]):
        yield f"it gives {values[0]}; raise `UndefinedError` where an item leaves it without a value"
    elif not low - slack <= values[0] <= high + slack:
        yield f"it gives {values[0]:.6g}, and its range is {low:g} to {high:g}"


def _arrays(spec: MetricSpec) -> list[str]:
    return [name for name in inspect.signature(spec.function).parameters if name not in spec.own]


def _examples(spec: MetricSpec) -> list[tuple[list[Any], dict[str, Any]]]:
    """The arrays and parameters of the calls of its example that give a value, as they are before it runs."""
    seen: list[tuple[list[Any], dict[str, Any]]] = []

    def listening(*arrays: Any, **given: Any) -> float:
        arrays_by_name = inspect.signature(spec.function).bind(*arrays, **given).arguments
        asked = [_array(deepcopy(arrays_by_name[name])) for name in _arrays(spec) if name in arrays_by_name]
        value = spec.function(*arrays, **given)
        seen.append((asked, {name: given[name] for name in spec.own if name in given}))
        return value

    scope = {**vars(inspect.getmodule(spec.function)), spec.name: listening}
    for test in doctest.DocTestFinder(recurse=False).find(spec.function, spec.name, globs=scope):
        doctest.DocTestRunner(verbose=False).run(test, out=lambda _: None)
    return seen


def _array(value: Any) -> Any:
    """A list of numbers as an array, so that a change of it is seen; anything else as it is."""
    try:
        return np.array(value) if isinstance(value, list) else value
    except ValueError:
        return value
