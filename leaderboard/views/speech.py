"""An item of the speech track: a token's map over the spectrogram, the earlier tokens that made it, its curves."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import soundfile
import streamlit as st
from charts import GREY, described
from pictures import SCALE, axis, data_url, heights, scale
from player import switching, wav
from reading import beside, curve, document
from state import slide
from wording import plain

from earwitness.exhibits.gating import without
from earwitness.exhibits.pictures import INK, blend
from earwitness.scoring.speech.removal import ranks

Arrays = dict[str, np.ndarray]
ORIGINAL = "The sound that is explained"
GIVEN = True
SOUNDS: dict[str, str] = {}
"""Sounds are made on the page, without as many cells as the reader asks for."""
SHARE = "removed"
"""Key of the share of cells that is removed, in the page's state and address."""
FIRST = 0.1
"""Share that is removed at first, or the nearest that was asked."""
TOKEN = "token"
"""Key of the token that is looked at, in the page's state and address."""
CHARTS = {
    "curves": "What the model still makes of it",
    "distances": "Distance from training speech (untouched speech: 1)",
}
"""Headings of the charts, by the label of the exhibit."""
COMPARED = "compared"
"""Label of the exhibit that says what of reference and transcript was compared."""
FILLS = {
    "mean": "the utterance's mean of each mel bin",
    "marginal": "values of training speech",
    "inpaint": "what is before and after them",
    "shuffle": "one another's values",
}
"""What stands in removed cells, in words."""
HEIGHT, CHART = 260, 340
"""Pixels of the spectrogram, and of a chart with its heading, names and axis."""
SHARP = 600
"""Frames up to which cells are drawn with sharp edges; beyond, a column of the page is narrower than the picture."""
STYLE = f"""
<style>
.heard {{ display: grid; grid-template-columns: 3.2rem 1fr; column-gap: .5rem; font-size: .85rem }}
.heard .mel {{ height: {HEIGHT}px; display: flex; flex-direction: column; justify-content: space-between }}
.heard .mel {{ text-align: right; opacity: .75; line-height: 1; font-variant-numeric: tabular-nums }}
.heard .picture {{ position: relative; height: {HEIGHT}px }}
.heard img {{ width: 100%; height: {HEIGHT}px; display: block; border-radius: 4px }}
.heard .picture i {{ position: absolute; top: 0; bottom: 0; border-left: 1px dashed #fff9 }}
.heard .marks {{ position: relative; height: 1.5rem; margin-bottom: 2px }}
.heard .marks span {{ position: absolute; top: 0; bottom: 0; box-sizing: border-box; overflow: hidden }}
.heard .marks span {{ border: 1px solid #8886; border-radius: 3px; text-align: center; white-space: nowrap }}
.heard .phonemes span {{ font-size: .72rem; line-height: 1.4rem; opacity: .8 }}
.heard .side {{ text-align: right; opacity: .75; white-space: nowrap; font-size: .7rem; line-height: 1.5rem }}
.heard .axis {{ position: relative; height: 1.5rem; opacity: .75; font-variant-numeric: tabular-nums }}
.heard .axis span {{ position: absolute; transform: translateX(-50%); white-space: nowrap }}
{SCALE}
.context {{ font-size: 1.05rem; line-height: 2.1; margin: .3rem 0 }}
.context span {{ padding: .18em .32em; border-radius: .35em }}
.context .chosen {{ outline: 2px solid rgb{INK} }}
.context .later {{ opacity: .65 }}
</style>
"""


def title(fields: dict[str, Any]) -> str:
    """The item in one line."""
    return str(fields.get("text", ""))


def choose(fields: dict[str, Any]) -> None:
    """Let the reader pick the token whose maps are drawn; its index is kept in the address."""
    pieces = fields.get("pieces") or []
    if fields.get("reference"):
        st.caption(f"Reference: {plain(str(fields['reference']))}")
    if TOKEN not in st.session_state:
        st.session_state[TOKEN] = _number(st.query_params.get(TOKEN))
    if st.session_state[TOKEN] not in range(len(pieces)):
        st.session_state[TOKEN] = 0
    if not pieces:
        return
    st.pills(
        "Token that is explained",
        list(range(len(pieces))),
        required=True,
        format_func=lambda index: plain(shown(pieces[index])),
        key=TOKEN,
        persist_state="session",
    )
    if st.session_state[TOKEN]:
        st.query_params[TOKEN] = str(st.session_state[TOKEN])
    elif TOKEN in st.query_params:
        del st.query_params[TOKEN]


def draw(fields: dict[str, Any], given: Arrays, answered: Arrays, seconds: float | None) -> None:
    """Draw the explanation `spectrogram` [O, T, M] and `prefix` [O, O] of an item with `features` [T, M].

    The token is the one of `choose`. `fields["marks"]` may hold words and phonemes as [text, start, stop] in seconds,
    and `fields["exhibits"]` curves.
    """
    pieces, features = fields.get("pieces") or [], given.get("features")
    if features is None or not pieces:
        st.caption("Nothing of this item is kept.")
        return
    token = int(st.session_state.get(TOKEN, 0)) % len(pieces)
    maps, prefix = answered.get("spectrogram"), answered.get("prefix")
    rate = fields.get("frame_rate") or (len(features) / seconds if seconds else None)
    marks = fields.get("marks") or {}
    hz = document((fields.get("exhibits") or {}).get(("removal", ""), "")).get("hz") or []
    if maps is None or prefix is None or maps.shape != (len(pieces), *features.shape):
        st.html(STYLE + _spectrogram(features, None, rate, marks, hz))
        st.caption("No explanation is kept for this item.")
        return
    ground = _spectrogram(features, maps[token], rate, marks, hz)
    words = given.get("words", np.arange(len(pieces)))
    st.html(STYLE + ground + scale(maps[token]) + _context(pieces, words, token, prefix[token]))
    _listen(fields, maps, features, rate)
    said = comparison(document((fields.get("exhibits") or {}).get((COMPARED, ""), "")))
    if said:
        st.caption(said)
    for label, heading in CHARTS.items():
        found = curve((fields.get("exhibits") or {}).get((label, ""), ""))
        if found:
            st.altair_chart(_chart(points(found), found["x"]["label"], heading), width="stretch")


@st.fragment
def _listen(fields: dict[str, Any], maps: np.ndarray, features: np.ndarray, rate: float | None) -> None:
    """A slider over shares of cells, with the sound without them and they alone, and what the model hears."""
    exhibits = fields.get("exhibits") or {}
    found, sound = document(exhibits.get(("removal", ""), "")), beside(exhibits.get(("original", ""), ""))
    if (
        not {"tie_seed", "hz", "shares", "transcripts"} <= set(found)
        or len(found["hz"]) != features.shape[1]
        or not rate
    ):
        return
    shares = [share for share in found["shares"] if 0 < share < 1]
    first = min(shares, key=lambda share: abs(share - FIRST))
    label, key = "Cells removed, those of the highest mean weight first", f"{SHARE}-{fields.get('entrant', '')}"
    chosen = slide(label, shares, key, first, percent)
    for line in transcripts(found, found["shares"].index(chosen), str(fields.get("text", ""))):
        st.caption(line)
    if sound is None:
        return
    wave, sampled = soundfile.read(sound, dtype="float32")
    gone = ranks(maps.astype(np.float64).mean(0), found["tie_seed"]) < round(chosen * features.size)
    left, alone = (without(wave, sampled, cells, rate, np.array(found["hz"])) for cells in (gone, ~gone))
    titles = "Without these cells", "These cells alone"
    made = {title: wav(each, sampled) for title, each in zip(titles, (left, alone), strict=True)}
    switching({ORIGINAL: sound, **made}, f"removal {fields.get('entrant', '')}")
    st.caption(
        "Resynthesised from the recording's own short-time spectrum, silent where cells are removed. The model was not "
        "given this sound but the spectrogram with these cells filled."
    )


def percent(share: float) -> str:
    """A share for people.

    >>> percent(0.005), percent(0.1)
    ('0.5%', '10%')
    """
    return f"{100 * share:.3g}%"


def transcripts(found: dict[str, Any], place: int, whole: str) -> list[str]:
    """What the model hears with cells filled in each way that was asked, beside what it hears of the whole sound."""
    return [
        f"Filled by {FILLS.get(fill, plain(fill))}, the model hears “{plain(texts[place])}”; of the whole sound "
        f"“{plain(whole)}”."
        for fill, texts in found["transcripts"].items()
        if place < len(texts)
    ]


def comparison(compared: dict[str, Any]) -> str:
    """What of reference and transcript is compared, in a sentence; empty where it is not kept.

    >>> comparison({"normaliser": "english", "unit": "word", "wanted": "a lamp", "found": "a ramp", "errors": 1})
    'Compared by the normaliser english: “a lamp” (reference) with “a ramp” (transcript), 1 word error.'
    """
    if not {"normaliser", "unit", "wanted", "found", "errors"} <= set(compared):
        return ""
    wanted, found, by = (plain(str(compared[key])) for key in ("wanted", "found", "normaliser"))
    count = f"{compared['errors']} {plain(compared['unit'])} error{'' if compared['errors'] == 1 else 's'}"
    return f"Compared by the normaliser {by}: “{wanted}” (reference) with “{found}” (transcript), {count}."


def shown(piece: str) -> str:
    """Text of a token without the mark that tokenizers put for the space before it."""
    return piece.removeprefix("▁").removeprefix("Ġ").strip() or "␣"


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 0


def _spectrogram(
    features: np.ndarray, weights: np.ndarray | None, rate: float | None, marks: dict[str, Any], hz: Sequence[float]
) -> str:
    """The spectrogram [T, M] with a map [T, M] over it, marks above it and axes beside it; `hz` [M] where known."""
    frames, bins = features.shape
    length, unit = (frames / rate, "s") if rate else (float(frames), "frames")
    words, phonemes = (marks.get(kind) or [] if rate else [] for kind in ("words", "phonemes"))
    rendering = "pixelated" if frames <= SHARP else "auto"
    image = f'<img alt="Weight of each cell of the spectrogram" style="image-rendering: {rendering}" '
    lines = "".join(f'<i style="left: {_percent(at, length)}"></i>' for at in _edges(words))
    return (
        '<div class="heard">'
        + _marks("words", words, length)
        + _marks("phonemes", phonemes, length)
        + f'<div class="mel">{"".join(f"<span>{text}</span>" for text in heights(bins, hz))}</div>'
        + f'<div class="picture">{image}src="{data_url(blend(features, weights))}">{lines}</div>'
        + f'<div></div><div class="axis">{axis(length, unit)}</div></div>'
    )


def _marks(kind: str, marks: Sequence[Any], length: float) -> str:
    if not marks:
        return ""
    spans = "".join(
        f'<span style="left: {_percent(start, length)}; width: {_percent(stop - start, length)}" '
        f'title="{escape(str(text))} {start:.2f}–{stop:.2f} s">{escape(str(text))}</span>'
        for text, start, stop in marks
    )
    return f'<div class="side">{kind[:-1]}</div><div class="marks {kind}">{spans}</div>'


def _edges(marks: Sequence[Any]) -> list[float]:
    return sorted({float(at) for _, start, stop in marks for at in (start, stop)})


def _percent(at: float, length: float) -> str:
    return f"{100 * at / length:.2f}%"


def _context(pieces: Sequence[str], words: np.ndarray, token: int, weights: np.ndarray) -> str:
    """The transcript, each token before the chosen one on its weight [O]."""
    spans = []
    for index, piece in enumerate(pieces):
        weight = float(weights[index])
        colour = f"background: rgba({INK[0]}, {INK[1]}, {INK[2]}, {weight:.3f})"
        kind = "chosen" if index == token else "later" if index > token else "earlier"
        style = f'style="{colour}" title="weight {weight:.3f}"' if index < token else ""
        space = " " if index and words[index] != words[index - 1] else ""
        spans.append(f'{space}<span class="{kind}" {style}>{escape(shown(piece))}</span>')
    return f'<p class="context">{"".join(spans)}</p>'


def points(found: dict[str, Any]) -> pd.DataFrame:
    """Points of a curve's document: curve, share of the cells in per cent, value."""
    rows = [
        (name, share, value)
        for name, line in sorted(found["lines"].items())
        for share, value in zip(found["x"]["values"], line, strict=True)
    ]
    return pd.DataFrame(rows, columns=["curve", "share", "value"]).astype({"curve": "str"})


def _chart(frame: pd.DataFrame, along: str, heading: str) -> alt.Chart:
    colour = alt.Color("curve:N", legend=alt.Legend(title=None, orient="top", labelLimit=320, columns=1, offset=4))
    chart: alt.Chart = (
        alt.Chart(frame)
        .mark_line(strokeWidth=2)
        .encode(
            x=alt.X("share:Q", title=along, axis=alt.Axis(grid=False, tickCount=6)),
            y=alt.Y("value:Q", title=None, axis=alt.Axis(gridColor=GREY, gridOpacity=0.35, tickCount=5)),
            color=colour,
            tooltip=["curve:N", alt.Tooltip("share:Q", format=".0f"), alt.Tooltip("value:Q", format=".3f")],
        )
        .properties(title=alt.TitleParams(heading, fontSize=13))
    )
    of = ", ".join(
        f"{name}, {line['value'].iloc[-1]:.2f} at its end" for name, line in frame.groupby("curve", sort=False)
    )
    return described(chart, CHART, f"{heading} against {along}: {of}.")
