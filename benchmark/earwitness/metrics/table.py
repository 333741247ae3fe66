"""The table of all metrics, docs/metrics.md, made of their declarations: `python -m earwitness.metrics.table`."""

from __future__ import annotations

import inspect
import json
import math
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any

from earwitness.metrics import MetricSpec, all_metrics

if TYPE_CHECKING:
    from collections.abc import Iterable

HEAD = """# Metrics

Every metric with the track that it scores, which of its values are more faithful (`none` marks a description, which
never ranks), their range, the arrays that it reads, the parameters that a card may give, with their defaults, and the
submissions whose method is the metric's own definition: it never ranks them. Made of the declarations by
`python -m earwitness.metrics.table`.
"""
COLUMNS = ("metric", "value", "direction", "range", "reads", "parameters", "defined by")


def shipped() -> list[MetricSpec]:
    """The library's own metrics, without those of packages that plug in."""
    return [spec for spec in all_metrics().values() if spec.function.__module__.startswith("earwitness.metrics.")]


def markdown(specs: Iterable[MetricSpec]) -> str:
    """The page: a section a track, a row a metric, both by name."""
    tracks: dict[str, list[MetricSpec]] = {}
    for spec in sorted(specs, key=lambda spec: (spec.track, spec.name)):
        tracks.setdefault(spec.track, []).append(spec)
    return "\n".join([HEAD, *(_section(track, some) for track, some in tracks.items())])


def row(spec: MetricSpec) -> tuple[str, ...]:
    """A metric's cells, one for each of `COLUMNS`.

    >>> from earwitness.metrics import get
    >>> row(get("fid_noise"))[2:4]
    ('none', '[-1, 1]')
    """
    parameters = ", ".join(f"`{name} = {value}`" for name, value in _defaults(spec).items())
    definers = ", ".join(f"`{name}`" for name in spec.defined_by)
    cells = (f"`{spec.name}`", spec.summary, spec.direction, interval(spec.range), spec.reads, parameters, definers)
    return tuple(cell.replace("|", r"\|") for cell in cells)


def interval(bounds: tuple[float, float]) -> str:
    """A range as it is written, infinite ends open.

    >>> interval((0, 1)), interval((0.5, math.inf)), interval((-math.inf, math.inf))
    ('[0, 1]', '[0.5, ∞)', '(-∞, ∞)')
    """
    low, high = bounds
    left = "(-∞" if math.isinf(low) else f"[{low:g}"
    return f"{left}, ∞)" if math.isinf(high) else f"{left}, {high:g}]"


def _defaults(spec: MetricSpec) -> dict[str, str]:
    """Parameters as a card writes them, in the order in which an id tells them; one that must be given is `...`."""
    response = {field.name: field.default for field in fields(spec.response)}
    taken = inspect.signature(spec.function).parameters
    given = {**response, **{name: taken[name].default for name in spec.own}}
    return {name: _written(given[name]) for name in spec.parameters}


def _written(default: Any) -> str:
    return "..." if default in (MISSING, inspect.Parameter.empty) else json.dumps(default)


def _section(track: str, specs: Iterable[MetricSpec]) -> str:
    lines = [COLUMNS, ("---",) * len(COLUMNS), *map(row, specs)]
    return "\n".join([f"## {track}", "", *(f"| {' | '.join(cells)} |" for cells in lines), ""])


if __name__ == "__main__":
    print(markdown(shipped()), end="")
