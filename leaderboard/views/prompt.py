"""An item of the prompt track: the prompt with its words coloured by weight, and the word-by-time map."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
import streamlit as st
from pictures import axis, data_url

Arrays = dict[str, np.ndarray]
ORIGINAL = "The sound that is explained"
GIVEN = True
SOUNDS = {"kept": "Kept: only the words it marks", "removed": "Removed: without the words it marks"}
"""Exhibits to listen to, and how the page calls them."""
INK = (20, 149, 138)
"""Colour of weight 1, laid over the ground with the weight as its opacity, so that it holds on light and dark."""
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
.faint {{ opacity: .5 }}
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


def _pieces(tokens: list[str]) -> list[tuple[str, bool]]:
    """Text of each token and whether a space stands before it: `▁` opens a word where the tokenizer uses it."""
    marked = any(token.startswith("▁") for token in tokens)
    return [(token.removeprefix("▁"), token.startswith("▁") or not marked) for token in tokens]


def _words(tokens: list[str], special: np.ndarray, weights: np.ndarray) -> str:
    """The prompt, each token on its mean weight over frames."""
    spans = []
    for (text, space), hidden, weight in zip(_pieces(tokens), special, weights, strict=True):
        if not hidden:
            colour = f"rgba({INK[0]}, {INK[1]}, {INK[2]}, {weight:.3f})"
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
