"""Where the names of a chart's points stand, so that none lies over another."""

from __future__ import annotations

from math import log10

import pandas as pd

WIDE, HIGH = 190, 230
"""Pixels of the data in the narrowest plot that names are placed for: what is free there is free in a wider one."""
LETTER, LINE = 7, 14
"""Pixels of a letter and of a line."""
CLOSE = 1e-6
"""Pixels that are rounding."""
LEAST = 1e-3
"""Of scores' range: those of one point would leave names no room."""


def label_places(points: pd.DataFrame) -> pd.DataFrame:
    """The points with `at`, the height of each name in units of the score, and `side`, where a name begins or ends at
    its point: `left` of the names whose points are in the left half.

    Columns: entrant, cost (above 0), score. Names go down from the highest point, each as far as the ones before leave
    no room.
    """
    if points.empty:
        return points.assign(at=[], side=[])
    costs = [log10(cost) for cost in points["cost"]]
    left, width = min(costs), max(max(costs) - min(costs), 1e-9)
    top, height = points["score"].max(), max(points["score"].max() - points["score"].min(), LEAST)
    xs = [WIDE * (cost - left) / width for cost in costs]
    ys = [HIGH * (top - score) / height for score in points["score"]]
    taken: list[tuple[float, float, float]] = []
    at, sides = [0.0] * len(points), [""] * len(points)
    for place in sorted(range(len(points)), key=lambda place: (ys[place], xs[place])):
        length = LETTER * len(points["entrant"].iloc[place])
        sides[place] = "left" if xs[place] < WIDE / 2 else "right"
        start = xs[place] if sides[place] == "left" else xs[place] - length
        y = ys[place]
        while blocking := [t for t in taken if t[0] < start + length and start < t[1] and abs(t[2] - y) < LINE - CLOSE]:
            y = max(t[2] for t in blocking) + LINE
        taken.append((start, start + length, y))
        at[place] = top - height * y / HIGH
    return points.assign(at=at, side=sides)
