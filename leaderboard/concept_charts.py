"""Charts of the concept track: a feature against a factor, what steering moves, and when a factor settles."""

from __future__ import annotations

import altair as alt
import pandas as pd
from charts import GREY, ORANGE, TEAL, Layers, described

OTHERS = [TEAL, "#4c78a8", "#a05fb0", "#c2a02e", GREY]
"""Colours of the factors that are not looked at; they repeat where there are more."""
QUIET = alt.Axis(gridOpacity=0.35, tickCount=4)
SMALL, LARGE = 200, 300
"""Pixels of charts that stand side by side, and of those that have a row for themselves."""


def response(points: pd.DataFrame, bins: pd.DataFrame, title: list[str], picked: bool) -> Layers:
    """A feature's mean in held-out clips against a factor; columns factor, mean; of bins low, high, mean, clips.

    The title of the axis has several lines, so that it is not cut where the chart is narrow.
    """
    colour = ORANGE if picked else TEAL
    x = alt.X("factor:Q", title=title, scale=alt.Scale(zero=False, padding=8), axis=QUIET)
    y = alt.Y("mean:Q", title=None, scale=alt.Scale(padding=8), axis=QUIET)
    tip = [alt.Tooltip("factor:Q", format=".3g"), alt.Tooltip("mean:Q", format=".3g")]
    dots = alt.Chart(points).mark_point(filled=True, size=28, opacity=0.55, color=GREY).encode(x=x, y=y, tooltip=tip)
    middle = bins.assign(factor=(bins["low"] + bins["high"]) / 2)
    tooltips = [alt.Tooltip(f"{name}:Q", format=".3g") for name in ("low", "high", "mean", "clips")]
    line = (
        alt.Chart(middle)
        .mark_line(color=colour, strokeWidth=2.5, point=alt.OverlayMarkDef(color=colour, size=35))
        .encode(x=x, y=y, tooltip=tooltips)
    )
    said = f"Mean of the feature in {len(points)} held-out clips against {title[0]}, with the mean of each range."
    return described(alt.layer(dots, line), SMALL, said)


def steering(moved: pd.DataFrame, factor: str, size: float) -> Layers:
    """How far each factor moved as one was steered; columns: size, factor, moved."""
    names = [factor, *(name for name in dict.fromkeys(moved["factor"]) if name != factor)]
    colours = [ORANGE, *(OTHERS[place % len(OTHERS)] for place in range(len(names) - 1))]
    steps = sorted(moved["size"].unique().tolist())
    x = alt.X("size:Q", title=f"{factor} steered by", axis=alt.Axis(grid=False, values=steps))
    y = alt.Y("moved:Q", title="moved by, standard deviations", axis=QUIET)
    legend = alt.Legend(title=None, orient="top", columns=4, labelLimit=160)
    colour = alt.Color("factor:N", scale=alt.Scale(domain=names, range=colours), sort=names, legend=legend)
    width = alt.condition(alt.datum.factor == factor, alt.value(3.5), alt.value(1.8))
    tip = ["factor:N", "size:Q", alt.Tooltip("moved:Q", format=".2f")]
    lines = (
        alt.Chart(moved.dropna())
        .mark_line(point=alt.OverlayMarkDef(size=35))
        .encode(x=x, y=y, color=colour, strokeWidth=width, tooltip=tip)
    )
    asked = alt.Chart(pd.DataFrame({"size": steps, "moved": steps})).encode(x=x, y=y)
    here = alt.Chart(pd.DataFrame({"size": [size]})).mark_rule(color=GREY, strokeWidth=1.5).encode(x=x)
    dashed = asked.mark_line(color=GREY, strokeDash=[5, 4], strokeWidth=1.4)
    reached = moved[moved["size"] == steps[-1]].set_index("factor")["moved"].dropna()
    ends = ", ".join(f"{name} by {value:.2f}" for name, value in reached.items())
    said = f"How far each factor moves as {factor} is steered, in standard deviations. At {steps[-1]:+g}: {ends}."
    return described(alt.layer(here, dashed, lines), LARGE, said)


def trace(frame: pd.DataFrame) -> alt.Chart:
    """How far a factor still has to go at each step; columns: step, by, left."""
    names = frame["by"].unique().tolist()
    colour = alt.Color(
        "by:N",
        scale=alt.Scale(domain=names, range=[ORANGE, TEAL]),
        legend=alt.Legend(title=None, orient="top", labelLimit=240),
    )
    chart: alt.Chart = (
        alt.Chart(frame.dropna())
        .mark_line(strokeWidth=2.2, point=alt.OverlayMarkDef(size=25))
        .encode(
            x=alt.X("step:Q", title="step, from noise to the end", axis=alt.Axis(grid=False, tickMinStep=1)),
            y=alt.Y("left:Q", title="still to go", axis=QUIET),
            color=colour,
            tooltip=["by:N", "step:Q", alt.Tooltip("left:Q", format=".2f")],
        )
    )
    return described(chart, LARGE, f"How far the factor still has to go at each step, {' and '.join(names)}.")
