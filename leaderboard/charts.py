"""Charts of the pages: altair specifications of tables, in colours that hold on light and dark grounds."""

from __future__ import annotations

from typing import Any, TypeVar

import altair as alt
import pandas as pd
from label_places import label_places

TEAL, ORANGE, GREY = "#14958a", "#e0652f", "#8a979f"
KINDS = {"entrant": ORANGE, "baseline": TEAL, "control": GREY}
ROW, FRAME = 28, 100
"""Pixels of a row of a chart, and of what stands around the rows: Streamlit fits both into the height."""
Layers = alt.LayerChart | alt.FacetChart
"""What altair says that layers are."""
Drawn = TypeVar("Drawn", alt.Chart, Layers)
BELOW = "The numbers stand in the table below."
"""Ends what a chart is in words, for who does not see it."""
HIGH = 440
"""Pixels of the chart of costs."""
LABELS: dict[str, Any] = {
    "labelLimit": 240,
    "labelFontSize": 13,
    "title": None,
    "ticks": False,
    "domain": False,
    "labelPadding": 10,
    "labelOverlap": False,
    "labelFlush": False,
}


def described(chart: Drawn, height: int, said: str) -> Drawn:
    """The chart at a height, with a text for who does not see it that stands for all its marks."""
    found: Drawn = chart.properties(height=height, description=said).configure_mark(aria=False)
    return found


def forest(frame: pd.DataFrame, title: str, ends: pd.DataFrame) -> Layers:
    """Values with intervals, one row an entrant in the frame's order.

    Columns: entrant, kind, value, low, high, and where places are shared group: every second group has a ground of its
    own. `ends` holds the floor's and the ceiling's bands: end, value, low, high.
    """
    order, kinds = frame["entrant"].tolist(), present(frame)
    y = alt.Y("entrant:N", sort=order, axis=alt.Axis(**LABELS))
    x = alt.X(
        "value:Q", title=title, scale=alt.Scale(zero=False, nice=True), axis=alt.Axis(gridOpacity=0.35, tickCount=7)
    )
    colour = alt.Color(
        "kind:N",
        scale=alt.Scale(domain=kinds, range=[KINDS[kind] for kind in kinds]),
        legend=alt.Legend(title=None, orient="top", offset=26, symbolType="circle"),
    )
    tip = [alt.Tooltip("entrant:N"), *(alt.Tooltip(f"{name}:Q", format=".3f") for name in ("value", "low", "high"))]
    base = alt.Chart(frame).encode(y=y, tooltip=tip)
    rules = base.mark_rule(strokeWidth=3, opacity=0.55).encode(x=alt.X("low:Q", title=title), x2="high:Q", color=colour)
    points = base.mark_point(filled=True, size=95, opacity=1).encode(x=x, color=colour)
    bands = alt.Chart(ends).mark_rect(color=GREY, opacity=0.18).encode(x="low:Q", x2="high:Q")
    lines = alt.Chart(ends).mark_rule(color=GREY, strokeDash=[5, 4], strokeWidth=1.4).encode(x="value:Q")
    names = (
        alt.Chart(ends)
        .mark_text(color=GREY, dy=-8, fontSize=12, fontWeight=600, baseline="bottom")
        .encode(x="value:Q", text="end:N", y=alt.value(0))
    )
    layers = [bands, lines, names, rules, points] if len(ends) else [rules, points]
    if "group" in frame:
        other = frame[frame["group"].fillna(0) % 2 == 1]
        ground = alt.Chart(other).mark_rect(color=GREY, opacity=0.09).encode(y=y)
        layers = [ground, *layers] if len(other) < len(frame) else layers
    said = f"{title} of {len(order)} submissions"
    if len(frame):
        first, last = frame.iloc[0], frame.iloc[-1]
        said += f", from {first['entrant']}, {first['value']:.2f}, to {last['entrant']}, {last['value']:.2f}"
    return described(alt.layer(*layers), max(3, len(order)) * ROW + FRAME, f"{said}. {BELOW}")


def curves(frame: pd.DataFrame, order: list[str], title: str) -> alt.Chart:
    """Mean over items against the share of words kept; columns: entrant, share, mean, low, high."""
    shares = sorted(frame["share"].unique().tolist())
    said = f"{title} against the share of words kept, of {', '.join(dict.fromkeys(frame['entrant']))}."
    chart: alt.Chart = (
        alt.Chart(frame)
        .mark_line(point=alt.OverlayMarkDef(size=35), strokeWidth=2)
        .encode(
            x=alt.X("share:Q", title="words kept, %", axis=alt.Axis(values=shares, grid=False)),
            y=alt.Y("mean:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(gridOpacity=0.35, tickCount=5)),
            color=alt.Color("entrant:N", scale=alt.Scale(domain=order), legend=None),
            tooltip=["entrant:N", "share:Q", *(alt.Tooltip(f"{n}:Q", format=".3f") for n in ("mean", "low", "high"))],
        )
        .properties(title=alt.TitleParams(title, fontSize=13, anchor="middle"))
    )
    return described(chart, 210, said)


def legend(shown: list[str], order: list[str]) -> Layers:
    """Names of the curves in their colours, side by side."""
    frame = pd.DataFrame({"entrant": [entrant for entrant in order if entrant in shown]})
    x = alt.X("entrant:N", sort=order, axis=None)
    colour = alt.Color("entrant:N", scale=alt.Scale(domain=order), legend=None)
    base = alt.Chart(frame).encode(x=x, color=colour)
    names = alt.layer(base.mark_text(fontSize=13, fontWeight=600).encode(text="entrant:N"))
    return described(names, 40, f"Names of the curves in their colours: {', '.join(frame['entrant'])}.")


def present(frame: pd.DataFrame) -> list[str]:
    """Kinds that have a mark, in one order: a legend names no other."""
    return [kind for kind in KINDS if kind in set(frame["kind"])]


def cost(frame: pd.DataFrame, unit: str) -> Layers:
    """Score against cost on a logarithmic scale; columns: entrant, kind, budget, parameter, own, front, cost, score.

    An entrant's budgets are joined; so are the points of the front, by a dashed line that rises where a point stands.
    Names of the front's points are strong; no two names overlap.
    """
    kinds = present(frame)
    numbers = [alt.Tooltip(f"{name}:Q", format=".3~g") for name in ("cost", "score")]
    tip = [alt.Tooltip("entrant:N"), alt.Tooltip("budget:Q"), alt.Tooltip("parameter:N"), *numbers]
    x = alt.X("cost:Q", scale=alt.Scale(type="log"), title=unit, axis=alt.Axis(gridOpacity=0.35, tickCount=5))
    y = alt.Y("score:Q", title="score", axis=alt.Axis(gridOpacity=0.35))
    base = alt.Chart(frame).encode(x=x, y=y, tooltip=tip)
    colour = alt.Color(
        "kind:N",
        scale=alt.Scale(domain=kinds, range=[KINDS[kind] for kind in kinds]),
        legend=alt.Legend(title=None, orient="top", symbolType="circle"),
    )
    front = base.transform_filter("datum.front").mark_line(
        interpolate="step-after", strokeDash=[5, 4], strokeWidth=1.4, color=GREY
    )
    curves = base.mark_line(strokeWidth=1.5, opacity=0.6).encode(detail="entrant:N", order="cost:Q", color=colour)
    others = base.transform_filter("!datum.own").mark_point(size=45, opacity=1).encode(color=colour)
    points = base.transform_filter("datum.own").mark_point(filled=True, size=95, opacity=1).encode(color=colour)
    placed = label_places(frame[frame["own"]])
    names = [
        alt.Chart(placed[(placed["side"] == side) & (placed["front"] == strong)])
        .mark_text(
            align=side, dx=8 if side == "left" else -8, fontSize=12, color=GREY, fontWeight=700 if strong else 400
        )
        .encode(x=x, y=alt.Y("at:Q", title="score"), text="entrant:N")
        for side in ("left", "right")
        for strong in (True, False)
    ]
    best = frame[frame["front"]].sort_values("cost")["entrant"].tolist()
    said = (
        f"Score against {unit}. On the Pareto front, the cheapest first: {', '.join(dict.fromkeys(best)) or 'nobody'}."
    )
    return described(alt.layer(front, curves, others, points, *names), HIGH, said)


SIGNS = {"better": "▲", "worse": "▼", "equivalent": "="}


def matrix(frame: pd.DataFrame, order: list[str]) -> Layers:
    """Verdicts on all pairs, a square each; columns: entrant (the row), against, verdict, gain, low, high, p."""
    told = frame.assign(sign=frame["verdict"].map(SIGNS).fillna("·"))
    axis: dict[str, Any] = {"sort": order, "scale": alt.Scale(domain=order)}
    x = alt.X("against:N", axis=alt.Axis(**{**LABELS, "labelAngle": -50, "orient": "top", "labelLimit": 150}), **axis)
    y = alt.Y("entrant:N", axis=alt.Axis(**{**LABELS, "labelLimit": 150}), **axis)
    tip = [alt.Tooltip(f"{name}:N") for name in ("entrant", "against", "verdict")]
    tip += [alt.Tooltip(f"{name}:Q", format=".3~f") for name in ("gain", "low", "high", "p")]
    verdicts = ["better", "worse", "equivalent"]
    colour = alt.Color(
        "verdict:N", scale=alt.Scale(domain=verdicts, range=["#0f766e", "#c2410c", "#64748b"]), legend=None
    )
    base = alt.Chart(told).encode(x=x, y=y, tooltip=tip)
    of_these = alt.FieldOneOfPredicate("verdict", verdicts)
    squares = base.transform_filter(of_these).mark_rect(opacity=0.9, cornerRadius=3).encode(color=colour)
    signs = base.transform_filter(of_these).mark_text(fontSize=14, fontWeight=700, color="white").encode(text="sign:N")
    dots = base.transform_filter(~of_these).mark_text(fontSize=15, fontWeight=700, color=GREY).encode(text="sign:N")
    parted = int((frame["verdict"] == "better").sum())
    said = f"Verdicts on all pairs of {len(order)} submissions: in {parted} one is better than the other. {BELOW}"
    return described(alt.layer(squares, signs, dots), len(order) * 24 + 140, said)
