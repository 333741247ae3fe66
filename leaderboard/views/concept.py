"""An item of the concept track: what a feature responds to, what steering does to the sound, and when a factor settles.

Everything that is drawn was written by scoring; the page only chooses among it.
"""

from __future__ import annotations

from typing import Any

import concept_charts as charts
import numpy as np
import pandas as pd
import streamlit as st
from reading import Exhibits, curve, document
from sounds import play
from state import pick_number, slide
from wording import number, plain, plural

Arrays = dict[str, np.ndarray]
Record = dict[str, Any]
SOUNDS: dict[str, str] = {}
"""All sounds of this track belong to a feature or to a steered factor."""
ORIGINAL = ""
"""An item is many clips: there is no one sound that is explained."""
GIVEN = False
"""Latents and dictionaries are large, and none of them is drawn."""
FACTOR = "factor"
"""Key of the factor that is looked at, in the page's state and address."""
START = 1.0
"""Where the steering slider stands at first: at 0 nothing is to be seen."""


def title(fields: Record) -> str:
    """The item in one line."""
    if not fields.get("clips"):
        return ""
    together = " and ".join(fields.get("correlated") or [])
    more = f"; {together} move together in them" if together else ""
    return f"{fields.get('kind', '').capitalize()} latents, {plural(fields['clips'][0], 'training clip')}{more}"


def choose(fields: Record) -> None:
    """Let the reader pick the factor that is looked at; it is kept in the address."""
    factors = list(fields.get("factors") or {})
    if not factors:
        return
    st.caption(_study(fields))
    if FACTOR not in st.session_state:
        st.session_state[FACTOR] = st.query_params.get(FACTOR)
    if st.session_state[FACTOR] not in factors:
        st.session_state[FACTOR] = factors[0]
    st.pills("Factor", factors, required=True, format_func=plain, key=FACTOR, persist_state="session")
    if st.session_state[FACTOR] != factors[0]:
        st.query_params[FACTOR] = st.session_state[FACTOR]
    elif FACTOR in st.query_params:
        del st.query_params[FACTOR]


def draw(fields: Record, given: Arrays, answered: Arrays, seconds: float | None) -> None:
    """Draw a dictionary's exhibits: the document `features`, a `trace` of each factor, and sounds."""
    exhibits, factors = fields.get("exhibits") or {}, fields.get("factors") or {}
    found = document(exhibits.get(("features", ""), ""))
    if not found or not factors:
        st.caption("Nothing of this item is kept.")
        return
    factor = st.session_state.get(FACTOR)
    factor = str(factor if factor in factors else next(iter(factors)))
    place = str(fields.get("entrant", "")), exhibits
    _feature(found, factors, factor, place)
    _steering(found.get("steering") or {}, factors, factor, place)
    _trace(curve(exhibits.get(("trace", factor), "")), factor)


def _study(fields: Record) -> str:
    """What the item is made of, in words."""
    train, test = fields.get("clips") or (0, 0)
    text = (
        f"Each dictionary was fitted on the latents of {plural(train, 'training clip')}. All below is of "
        f"{plural(test, 'other clip')}, which no dictionary was fitted on."
    )
    together = [plain(name) for name in fields.get("correlated") or []]
    if together:
        text += f" In the training clips, and only there, {' and '.join(together)} move together."
    estimated = [plain(name) for name in fields.get("estimated") or []]
    if estimated:
        text += f" Estimated from the sound, not known: {', '.join(estimated)}."
    return text


def _feature(found: Record, factors: dict[str, str], factor: str, place: tuple[str, Exhibits]) -> None:
    """Pick a feature; show what it tells, its response to each factor, and its top clips."""
    entrant, exhibits = place
    known = {each["feature"]: each for each in found["features"]}
    if not known:
        st.info("No feature of this dictionary is ever active.")
        return
    best = found["best"].get(factor)
    order = list(known)
    chosen = pick_number(
        "Feature",
        order,
        f"feature-{factor}-{entrant}",
        best if best in known else order[0],
        lambda feature: _named(feature, found["best"]),
    )
    feature = known[chosen]
    st.caption(_told(feature, found["width"]))
    st.markdown("**What it responds to**")
    for columns in _pairs(list(factors)):
        for column, name in zip(st.columns(2), columns, strict=False):
            axis = [name, factors[name]] if factors[name] else [name]
            points = pd.DataFrame({"factor": found["clips"][name], "mean": feature["means"]})
            with column:
                bins = pd.DataFrame(feature["binned"][name])
                st.altair_chart(charts.response(points, bins, axis, name == factor), width="stretch")
    st.caption("A point is a held-out clip, its height the feature's mean in it; the line joins the means of bins.")
    _clips(feature, factors, exhibits)


def _named(feature: int, best: dict[str, int]) -> str:
    factors = [name for name, number in best.items() if number == feature]
    return f"{feature}: " + (f"tells most of {' and '.join(factors)}" if factors else "among those that vary most")


def _told(feature: Record, width: int) -> str:
    """What a feature alone tells of each factor, in words."""
    shares = [f"{plain(name)} {max(value, 0):.0%}" for name, value in feature["tells"].items() if value is not None]
    return (
        f"Feature {feature['feature']} of {width:,} is active in {feature['active']:.0%} of held-out frames. "
        f"Read off it alone, with a straight line fitted on training clips: {', '.join(shares)} of the variance."
    )


def _clips(feature: Record, factors: dict[str, str], exhibits: Exhibits) -> None:
    """The held-out clips of the feature's highest means, to listen to."""
    st.markdown("**The held-out clips that move it most**")
    kept = [each for each in feature["top"] if ("clip", str(each["clip"])) in exhibits]
    if not feature["top"]:
        st.caption("It is active in none.")
    elif not kept:
        st.caption("Sounds are kept of a task's first items only.")
    for row in _pairs(kept):
        for column, each in zip(st.columns(2), row, strict=False):
            with column:
                play(_clip(each, factors), exhibits[("clip", str(each["clip"]))])
    if kept:
        st.caption("The sounds themselves, before the model.")


def _clip(each: Record, factors: dict[str, str]) -> str:
    """What is known of a clip, with the feature's mean in it."""
    values = ", ".join(f"{plain(name)} {_value(each['factors'][name])}" for name in factors)
    return f"feature {_value(each['mean'])}: {values}"


@st.fragment
def _steering(found: Record, factors: dict[str, str], factor: str, place: tuple[str, Exhibits]) -> None:
    """The slider over steered clips, with what the estimators hear in each."""
    entrant, exhibits = place
    st.markdown(f"**Steer {plain(factor)}**")
    own = (found.get("factors") or {}).get(factor)
    if own is None:
        st.caption("Steered clips are kept of a task's first items only.")
        return
    if "reason" in own:
        st.caption(f"Not steered: {plain(own['reason'])}.")
        return
    sizes = found["sizes"]
    size = slide(
        "How far",
        sizes,
        f"steer-{factor}-{entrant}",
        START,
        lambda value: f"{value:+g}".replace("-", "−") if value else "0: as it was",
        hidden=True,
    )
    at = sizes.index(size)
    play(
        f"Held-out clip {found['clip']}, decoded, steered through {_through(own['k'])}",
        exhibits.get(("steered", own["sounds"][at]), ""),
    )
    rows = [
        {
            "Factor": f"{name} (steered)" if name == factor else name,
            "Moved by": number(own["moved"][name][at]),
            "Measured": _value(own["measured"][name][at]),
            "Was": _value(own["measured"][name][sizes.index(0.0)]),
            "Unit": factors[name],
        }
        for name in sorted(own["measured"], key=lambda name: name != factor)
    ]
    if not rows:
        st.caption("No estimator measures these factors.")
        return
    st.dataframe(pd.DataFrame(rows), hide_index=True, height="content")
    moved = [
        {"size": step, "factor": name, "moved": value}
        for name, values in own["moved"].items()
        for step, value in zip(sizes, values, strict=True)
    ]
    st.altair_chart(charts.steering(pd.DataFrame(moved), factor, size), width="stretch")
    st.caption(
        "Measured in the sound by estimators that know nothing of the model. Moved by: in standard deviations of the "
        "training clips, so that factors can be compared. A step of 1 moves the latents as far as one standard "
        "deviation of the factor does; a factor that follows as asked lies on the dashed line."
    )


def _through(k: int) -> str:
    """Which features are moved."""
    if not k:
        return "all features"
    return "the feature that tells most of it" if k == 1 else f"the {k} features that tell most of it"


def _trace(found: Record, factor: str) -> None:
    """When the factor settles along the model's steps, by the features and by the sound."""
    if not found:
        return
    st.markdown(f"**When {plain(factor)} settles**")
    rows = [
        {"step": step, "by": name, "left": value}
        for name, line in found["lines"].items()
        for step, value in zip(found["x"]["values"], line, strict=True)
    ]
    st.altair_chart(charts.trace(pd.DataFrame(rows)), width="stretch")
    st.caption(
        "How far the factor still has to go at each step of the model: 1 is as far as at the first step, 0 is where it "
        "ends. Where the lines part, the features tell another story than the sound."
    )


def _value(value: float | None) -> str:
    """A factor's value with about three digits."""
    return number(value, 1 if value is not None and abs(value) >= 10 else 2)


def _pairs(values: list[Any]) -> list[list[Any]]:
    return [values[start : start + 2] for start in range(0, len(values), 2)]
