"""Metrics: pure functions from arrays to one value per item, with a declared direction and range.

A metric is declared with `@metric` and looked up by name. It never plots, prints or keeps state.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from earwitness.errors import EarwitnessError, nearest, shortened

if TYPE_CHECKING:
    from collections.abc import Callable

Direction = Literal["higher", "lower", "none"]
"""Which values are more faithful; `none` marks a description (the size of a mask) that never enters a rank."""


@dataclass(frozen=True)
class Metric:
    """A metric's declaration."""

    name: str
    direction: Direction
    range: tuple[float, float]
    function: Callable[..., float]
    reads: str = field(default="")
    """Which responses of the track's scoring the function takes, for people."""

    @property
    def summary(self) -> str:
        """First line of the function's docstring."""
        return (self.function.__doc__ or "").strip().splitlines()[0]


F = TypeVar("F", bound="Callable[..., Any]")

_REGISTRY: dict[str, Metric] = {}
FEW = 5
"""Names of metrics that are offered where none is near."""


def metric(
    *, direction: Direction, range: tuple[float, float] = (-math.inf, math.inf), reads: str = ""
) -> Callable[[F], F]:
    """Declare a pure function a metric under its own name."""

    def declare(function: F) -> F:
        _REGISTRY[function.__name__] = Metric(function.__name__, direction, range, function, reads)
        return function

    return declare


def all_metrics() -> dict[str, Metric]:
    """Every declared metric by name."""
    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
    return dict(_REGISTRY)


def get(name: str) -> Metric:
    """The metric of that name; raises EarwitnessError and offers the nearest name where there is none."""
    known = all_metrics()
    if name not in known:
        some = get_close_matches(shortened(name), known, FEW, cutoff=0)
        raise EarwitnessError(f"no metric is called {shortened(name)!r}; {nearest(name, known, 'some metrics', some)}")
    return known[name]
