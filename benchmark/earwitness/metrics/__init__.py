"""Metrics: pure functions from arrays to one value per item, declared once.

A metric is declared with `@metric`: which response of its track's scoring it reads (`metrics.responses`), which values
are more faithful, and their range. Its parameters are those of the response and its own keyword arguments, each typed
by its annotation. Cards, scoring, docs and the page derive the rest. A metric never plots, prints or keeps state.

Other packages bring metrics by the entry-point group `earwitness.metrics`, or a card names `package.module:function`.
"""

from __future__ import annotations

import inspect
import math
from dataclasses import dataclass, fields
from difflib import get_close_matches
from functools import cached_property
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from earwitness import plugins
from earwitness.errors import EarwitnessError, nearest, shortened
from earwitness.parameters import ParameterError, checked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Direction = Literal["higher", "lower", "none"]
"""Which values are more faithful; `none` marks a description (the size of a mask) that never enters a rank."""


@dataclass(frozen=True)
class Response:
    """What a track's scoring hands to a metric, for one item and one explanation: positional arrays.

    A subclass is a frozen dataclass: its fields are parameters that a card may give, its docstring says which arrays
    there are. A response with a field `judge` is a judge's; empty takes the card's first.
    """

    track: ClassVar[str]
    """The track that gives it."""
    repeated: ClassVar[bool] = False
    """Whether it is asked again under each generation seed."""
    goes_by: ClassVar[tuple[str, ...]] = ()
    """What of a card's table `[scoring]` it hangs on."""

    @classmethod
    def summary(cls) -> str:
        """First line of its docstring."""
        return _first_line(cls)


@dataclass(frozen=True)
class MetricSpec:
    """A metric's declaration."""

    name: str
    response: type[Response]
    direction: Direction
    range: tuple[float, float]
    function: Callable[..., float]
    """Takes the arrays of the response, and its own parameters by keyword."""
    defined_by: tuple[str, ...] = ()
    """Submissions whose method is the metric's own definition: it never ranks them."""

    @property
    def track(self) -> str:
        """The track whose explanations it scores."""
        return self.response.track

    @property
    def summary(self) -> str:
        """First line of the function's docstring."""
        return _first_line(self.function)

    @property
    def reads(self) -> str:
        """Which arrays it takes, for people."""
        return self.response.summary()

    @cached_property
    def own(self) -> tuple[str, ...]:
        """Names of its own parameters."""
        taken = inspect.signature(self.function).parameters.values()
        return tuple(each.name for each in taken if each.kind is inspect.Parameter.KEYWORD_ONLY)

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of all parameters in the order in which an id tells them: the response's, then its own."""
        return (*(field.name for field in fields(self.response)), *self.own)

    def id(self, given: Mapping[str, Any]) -> str:
        """Name with the values of the parameters that are given, in the declared order, whatever the order of keys.

        >>> get("fid_f").id({"removal": "null", "mask": "top30"})
        'fid_f@top30+null'
        """
        order = (*self.parameters, *given)
        values = [str(given[name]) for name in dict.fromkeys(order) if name in given]
        return self.name + (f"@{'+'.join(values)}" if values else "")

    def checked(self, given: Mapping[str, Any]) -> tuple[Response, dict[str, Any]]:
        """The response that is asked for, and the metric's own parameters; raises ParameterError."""
        unknown = [name for name in given if name not in self.parameters]
        if unknown:
            raise ParameterError(unknown[0], f"is unknown; {nearest(unknown[0], self.parameters, 'known')}")
        response = checked(self.response, {name: value for name, value in given.items() if name not in self.own})
        arrays = [name for name in inspect.signature(self.function).parameters if name not in self.own]
        own = checked(self.function, {name: given[name] for name in self.own if name in given}, excluded=arrays)
        return self.response(**response), own


F = TypeVar("F", bound="Callable[..., Any]")

_REGISTRY: dict[str, MetricSpec] = {}
FEW = 5
"""Names of metrics that are offered where none is near."""


def metric(
    *,
    reads: type[Response],
    direction: Direction,
    range: tuple[float, float] = (-math.inf, math.inf),
    defined_by: tuple[str, ...] = (),
) -> Callable[[F], F]:
    """Declare a pure function a metric under its own name; `defined_by` names submissions whose method it is.

    Raises EarwitnessError where a metric of another module has that name.
    """

    def declare(function: F) -> F:
        name, before = function.__name__, _REGISTRY.get(function.__name__)
        if before is not None and before.function.__module__ != function.__module__:
            modules = f"{before.function.__module__} and {function.__module__}"
            raise EarwitnessError(f"two metrics are called {name}: of {modules}; rename one")
        _REGISTRY[name] = MetricSpec(name, reads, direction, range, function, defined_by)
        return function

    return declare


def all_metrics() -> dict[str, MetricSpec]:
    """Every declared metric by name: the library's, and those of packages that plug in."""
    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
    plugins.loaded("metrics")
    return dict(_REGISTRY)


def get(name: str) -> MetricSpec:
    """The metric of that name, or `package.module:function`.

    Raises EarwitnessError where there is none, and offers the nearest name.
    """
    known = all_metrics()
    if ":" in name:
        function = plugins.named(name)
        found = [spec for spec in _REGISTRY.values() if spec.function is function]
        if not found:
            raise EarwitnessError(f"{name!r} is no metric: declare the function with @earwitness.metrics.metric")
        return found[0]
    if name not in known:
        some = get_close_matches(shortened(name), known, FEW, cutoff=0)
        raise EarwitnessError(f"no metric is called {shortened(name)!r}; {nearest(name, known, 'some metrics', some)}")
    return known[name]


def find(id: str) -> MetricSpec | None:
    """The metric that an id names; None where this version has none of that name."""
    return all_metrics().get(name_of(id))


def name_of(id: str) -> str:
    """The metric's name in an id.

    >>> name_of("fid_f@top30+null")
    'fid_f'
    """
    return id.partition("@")[0]


def values_of(id: str) -> tuple[str, ...]:
    """The parameters' values in an id.

    >>> values_of("fid_f@top30+null"), values_of("size")
    (('top30', 'null'), ())
    """
    values = id.partition("@")[2]
    return tuple(values.split("+")) if values else ()


def _first_line(documented: Any) -> str:
    return (documented.__doc__ or "").strip().partition("\n")[0]
