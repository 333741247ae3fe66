"""A curve's document as a small line chart in SVG, for pages without scripts."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 380, 190, 44, 34, 10
"""Pixels of the chart, and of what is left for numbers beside, under and above the lines."""
COLOURS = ("#0d9488", "#e0652f", "#4c78a8", "#a05fb0", "#c2a02e", "#8a979f")
"""Of the lines; they repeat where there are more."""


@dataclass(frozen=True)
class LineChart:
    """What is drawn: places [Q] on the axis, and values [Q] by name, None where there is none."""

    axis: str
    values: str
    at: list[float]
    lines: dict[str, list[float | None]]


def line_chart(found: Any) -> str:
    """The chart with its legend; empty where `found` is no curve: `{"x": {"label", "values"}, "lines": {name: [..]}}`.

    A value of a line is a number, or null where none is known. `{"y": {"label"}}` may say what the values are.

    >>> line_chart({"x": {"label": "step"}})
    ''
    """
    curve = _read(found)
    if curve is None:
        return ""
    numbers = [value for line in curve.lines.values() for value in line if value is not None]
    across, up = _ends(curve.at), _ends([*numbers, 0.0])
    shapes, names = [], []
    for place, (name, line) in enumerate(curve.lines.items()):
        colour = COLOURS[place % len(COLOURS)]
        shapes += [_polyline(stretch, colour) for stretch in _stretches(curve.at, line, across, up)]
        names.append(f'<span style="color: {colour}">▬</span> {html.escape(name)}')
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
        f'aria-label="{html.escape(curve.values or curve.axis)}">'
        + _frame(curve, across, up)
        + "".join(shapes)
        + f'</svg><div class="legend">{" ".join(names)}</div>'
    )


def _read(found: Any) -> LineChart | None:
    """The curve of a document; None where it is none."""
    try:
        at = [_number(value) for value in found["x"]["values"]]
        lines = {str(name): [_number(value) for value in line] for name, line in found["lines"].items()}
        axis, values = str(found["x"]["label"]), str(found.get("y", {}).get("label", ""))
    except (KeyError, TypeError, AttributeError):
        return None
    places = [place for place in at if place is not None]
    drawn = any(value is not None for line in lines.values() for value in line)
    if not drawn or len(places) != len(at) or any(len(line) != len(at) for line in lines.values()):
        return None
    return LineChart(axis, values, places, lines)


def _number(value: Any) -> float | None:
    usable = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300
    return float(value) if usable and math.isfinite(value) else None


def _ends(values: list[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if high > low else (low, low + 1)


def _stretches(
    at: list[float], line: list[float | None], across: tuple[float, float], up: tuple[float, float]
) -> list[list[tuple[float, float]]]:
    """Points in pixels, parted where a value is not known."""
    found: list[list[tuple[float, float]]] = [[]]
    for place, value in zip(at, line, strict=True):
        if value is None:
            found.append([])
        else:
            x = LEFT + (WIDTH - LEFT - 8) * (place - across[0]) / (across[1] - across[0])
            y = HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * (value - up[0]) / (up[1] - up[0])
            found[-1].append((x, y))
    return [stretch for stretch in found if stretch]


def _polyline(points: list[tuple[float, float]], colour: str) -> str:
    if len(points) == 1:
        return f'<circle cx="{points[0][0]:.1f}" cy="{points[0][1]:.1f}" r="2" fill="{colour}"/>'
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'


def _frame(curve: LineChart, across: tuple[float, float], up: tuple[float, float]) -> str:
    """Axes with the numbers at their ends, and what they count."""
    floor, middle = HEIGHT - BOTTOM, (WIDTH + LEFT) / 2
    texts = [
        (LEFT - 5, TOP + 4, "end", f"{up[1]:.3g}"),
        (LEFT - 5, floor, "end", f"{up[0]:.3g}"),
        (LEFT, floor + 14, "start", f"{across[0]:.3g}"),
        (WIDTH - 8, floor + 14, "end", f"{across[1]:.3g}"),
        (middle, floor + 28, "middle", curve.axis),
    ]
    lines = f'<path d="M{LEFT} {TOP}V{floor}H{WIDTH - 8}" fill="none" stroke="currentColor" opacity=".4"/>'
    return lines + "".join(
        f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{html.escape(text)}</text>'
        for x, y, anchor, text in texts
    )
