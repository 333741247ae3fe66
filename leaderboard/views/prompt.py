"""An item of the prompt track: the prompt with its words coloured by weight, and the word-by-time map."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np
import streamlit as st
from pictures import axis, data_url
from wording import plain

from earwitness.metrics.responses.prompt import share
from earwitness.scoring.prompt.masks import kept

Arrays = dict[str, np.ndarray]
ORIGINAL = "The sound that is explained"
GIVEN = True
SOUNDS = {"kept": "Kept: only the words it marks", "removed": "Removed: without the words it marks"}
"""Exhibits to listen to, and how the page calls them."""
MASK = "top30"
"""What is kept and removed in the sounds."""
INK = (20, 149, 138)
"""Colour of weight 1, laid over the ground with the weight as its opacity, so that it holds on light and dark."""
BEHIND = 0.65
"""Opacity of weight 1 behind a word, so that the word is read on light and dark."""
ROW = 26
STYLE = f"""
<style>
.words {{ font-size: 1.15rem; line-height: 2.1 }}
.words span {{ padding: .18em .32em; border-radius: .35em }}
.map {{ display: grid; grid-template-columns: max-content 1fr; column-gap: .7rem; font-size: .85rem }}
.map .names div {{ height: {ROW}px; line-height: {ROW}px; text-align: right; white-space: pre }}
.map .names div {{ max-width: 14rem; overflow: hidden }}
.map img {{ width: 100%; display: block; box-sizing: border-box; image-rendering: pixelated }}
.map img {{ border: 1px solid #8884; border-radius: 4px }}
.map .axis {{ position: relative; height: 1.5rem; opacity: .75; font-variant-numeric: tabular-nums }}
.map .axis span {{ position: absolute; transform: translateX(-50%); white-space: nowrap }}
.faint {{ opacity: .65 }}
</style>
"""


def title(fields: dict[str, Any]) -> str:
    """The item in one line."""
    return str(fields.get("prompt", ""))


def choose(fields: dict[str, Any]) -> None:
    """Nothing is chosen of a prompt: the map shows all of it."""


def draw(fields: dict[str, Any], given: Arrays, answered: Arrays, seconds: float | None) -> None:
    """Draw an explanation `weights` [F, N] or [N] of an item with N `tokens`."""
    tokens = fields.get("tokens") or []
    weights = answered.get("weights")
    if weights is None or weights.shape[-1] != len(tokens):
        st.caption("No explanation is kept for this item.")
        return
    special = given.get("special", np.zeros(len(tokens), dtype=bool))
    frames = given["codes"].shape[1] if "codes" in given else len(weights) if weights.ndim == 2 else 1
    whole = np.broadcast_to(weights, (frames, len(tokens)))
    st.html(STYLE + _words(tokens, special, whole.mean(axis=0)) + _map(tokens, special, whole, seconds))
    said = heard(tokens, special, whole.mean(axis=0), fields.get("values") or {})
    if said:
        st.caption(said)


def heard(tokens: list[str], special: np.ndarray, weights: np.ndarray, values: Mapping[str, float | None]) -> str:
    """Which words are kept and removed, and what judges hear of the sound then, in a sentence; empty if nobody asked.

    `weights` [N] are means over frames: a map that changes in time keeps other words in other frames.
    """
    alone, gone = (values.get(f"{name}@{MASK}") for name in ("fid_f", "fid_cf"))
    if alone is None or gone is None:
        return ""
    text = np.flatnonzero(~special)
    most = text[np.argsort(-weights[text], kind="stable")[: kept(share(MASK) or 0.0, len(text))]]
    words = ", ".join(plain(tokens[place].removeprefix("▁")) for place in sorted(most))
    return (
        f"Kept are the {len(most)} of {len(text)} tokens with the highest weights: {words}. The judges' confidence in "
        f"what they hear first in the whole sound {_moved(alone)} where these alone are kept, and {_moved(gone)} where "
        "they are removed."
    )


def _moved(loss: float) -> str:
    """What a loss of confidence is, in words.

    >>> _moved(0.25), _moved(-0.5), _moved(0.001)
    ('falls by 0.25', 'rises by 0.50', 'stays')
    """
    if abs(loss) < 0.005:
        return "stays"
    return f"{'falls' if loss > 0 else 'rises'} by {abs(loss):.2f}"


def _pieces(tokens: list[str]) -> list[tuple[str, bool]]:
    """Text of each token and whether a space stands before it: `▁` opens a word where the tokenizer uses it."""
    marked = any(token.startswith("▁") for token in tokens)
    return [(token.removeprefix("▁"), token.startswith("▁") or not marked) for token in tokens]


def _words(tokens: list[str], special: np.ndarray, weights: np.ndarray) -> str:
    """The prompt, each token on its mean weight over frames."""
    spans = []
    for (text, space), hidden, weight in zip(_pieces(tokens), special, weights, strict=True):
        if not hidden:
            colour = f"rgba({INK[0]}, {INK[1]}, {INK[2]}, {BEHIND * weight:.3f})"
            span = f'<span style="background: {colour}" title="mean weight {weight:.3f}">{escape(text)}</span>'
            spans.append((" " if space else "") + span)
    return f'<p class="words">{"".join(spans)}</p>'


def _map(tokens: list[str], special: np.ndarray, weights: np.ndarray, seconds: float | None) -> str:
    names = "".join(
        f'<div class="{"faint" if hidden else ""}">{escape(text or " ")}</div>'
        for (text, _), hidden in zip(_pieces(tokens), special, strict=True)
    )
    height = ROW * len(tokens)
    image = f'<img alt="Weight of each word at each time" style="height: {height}px" src="{_picture(weights)}">'
    length, unit = (seconds, "s") if seconds else (float(len(weights)), "frames")
    timed = f'{image}<div class="axis">{axis(length, unit)}</div>'
    return f'<div class="map"><div class="names">{names}</div><div>{timed}</div></div>'


def _picture(weights: np.ndarray) -> str:
    """Weights [F, N] as a PNG of N rows and F columns, opacity the weight."""
    pixels = np.empty((*weights.T.shape, 4), dtype=np.uint8)
    pixels[..., :3] = INK
    pixels[..., 3] = np.round(255 * np.clip(weights.T, 0, 1)).astype(np.uint8)
    return data_url(pixels)
