"""An item of the band track: the map of an instrument's word over the sound's spectrogram, and the truth's outline."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import streamlit as st
from pictures import SCALE, axis, data_url, heights, scale
from player import files, switching
from wording import plain

from earwitness.exhibits.pictures import blend

Arrays = dict[str, np.ndarray]
ORIGINAL = "The sound that is explained"
GIVEN = True
SOUNDS: dict[str, str] = {}
"""All sounds of this track belong to the word that is chosen."""
WORD = "word"
"""Key of the instrument word that is looked at, in the page's state and address."""
EDGE = (40, 130, 255)
"""Colour of the truth's outline, over grey and over the colour of maps."""
HEIGHT = 240
"""Pixels of a picture on the page."""
WIDTH, LEAST, MOST = 900, 2, 12
"""Pixels that a picture has across at least, and how many of them a cell may have."""
STYLE = f"""
<style>
.band {{ display: grid; grid-template-columns: 3.2rem 1fr; column-gap: .5rem; font-size: .85rem }}
.band .mel {{ height: {HEIGHT}px; display: flex; flex-direction: column; justify-content: space-between }}
.band .mel {{ text-align: right; opacity: .75; line-height: 1; font-variant-numeric: tabular-nums }}
.band img {{ width: 100%; height: {HEIGHT}px; display: block; border-radius: 4px }}
.band .axis {{ position: relative; height: 1.5rem; opacity: .75; font-variant-numeric: tabular-nums }}
.band .axis span {{ position: absolute; transform: translateX(-50%); white-space: nowrap }}
.band p {{ grid-column: 2; margin: .2rem 0 }}
{SCALE}
.outline {{ display: inline-block; width: 1.2rem; height: .7rem; border: 2px solid rgb{EDGE}; border-radius: 2px }}
</style>
"""


class Axes(NamedTuple):
    """What stands beside a spectrogram."""

    length: float
    unit: str
    """Of the length."""
    hz: Sequence[float]
    """Frequency of each bin, where known."""


def title(fields: dict[str, Any]) -> str:
    """The item in one line."""
    return str(fields.get("prompt", ""))


def choose(fields: dict[str, Any]) -> None:
    """Let the reader pick the instrument word whose map is drawn, and listen to what is known of it.

    The word's place in the prompt is kept in the address.
    """
    words = fields.get("instruments") or []
    if WORD not in st.session_state:
        st.session_state[WORD] = _number(st.query_params.get(WORD))
    if st.session_state[WORD] not in range(len(words)):
        st.session_state[WORD] = 0
    if not words:
        return
    st.pills(
        "Instrument whose word is explained",
        list(range(len(words))),
        required=True,
        format_func=lambda index: plain(words[index]),
        key=WORD,
        persist_state="session",
    )
    if st.session_state[WORD]:
        st.query_params[WORD] = str(st.session_state[WORD])
    elif WORD in st.query_params:
        del st.query_params[WORD]
    word = words[st.session_state[WORD]]
    _play(
        fields,
        {
            ("original", ""): ORIGINAL,
            ("without", word): f"The same start and noise without the word {plain(word)}",
            ("stem", word): f"The stem of the clip: {plain(word)}",
            ("mix", ""): "The clip",
        },
    )


def draw(fields: dict[str, Any], given: Arrays, answered: Arrays, seconds: float | None) -> None:
    """Draw the explanation `maps` [N, M, T] of an item with `mel` [M, T] and `named` [I, N], for the chosen word.

    `fields` may hold the `truth` and the `swap` difference of each word, `density`, `frame_rate` and `has_frequency`.
    """
    words, mel, named = fields.get("instruments") or [], given.get("mel"), given.get("named")
    if mel is None or named is None or not words:
        st.caption("Nothing of this item is kept.")
        return
    index = int(st.session_state.get(WORD, 0)) % len(words)
    word = words[index]
    flat = fields.get("has_frequency") is False
    rate = fields.get("frame_rate")
    length, unit = (
        (mel.shape[1] / rate, "s") if rate else (seconds or float(mel.shape[1]), "s" if seconds else "frames")
    )
    axes = Axes(length, unit, fields.get("hz") or [])
    truth = _truth(fields, given, word, mel.shape)
    maps = answered.get("maps")
    if maps is None or maps.shape != (named.shape[1], *mel.shape):
        st.html(STYLE + _picture(mel, None, truth, axes))
        st.caption("No explanation is kept for this item.")
    else:
        weights = spread(maps[named[index]].sum(axis=0), flat)
        st.html(STYLE + _picture(mel, weights, truth, axes) + scale(weights) + _outline(fields, word, truth))
    deleted = f"Without attention to {plain(word)} where its map is highest"
    _play(fields, {("original", ""): ORIGINAL, ("deleted", word): deleted})
    swap = unpacked_swap(str((fields.get("swap") or {}).get(word, "")), mel.shape)
    if swap is not None:
        st.caption(f"What changes where the word {plain(word)} is taken out, under the same start and noise:")
        st.html(STYLE + _picture(mel, spread(swap, flat), truth, axes))


def spread(weights: np.ndarray, flat: bool) -> np.ndarray:
    """A map [M, T], or its mean over bins at each of them where the model has no frequency axis."""
    return np.broadcast_to(weights.mean(axis=0), weights.shape) if flat else weights


def outlined(pixels: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """Pixels [M, T, 3] enlarged by a whole number, the edge of a mask [M, T] drawn inside it, low bins at the bottom.

    `pixels` has its low bins at the bottom already.
    """
    times = int(np.clip(-(-WIDTH // pixels.shape[1]), LEAST, MOST))
    large = pixels.repeat(times, axis=0).repeat(times, axis=1)
    if mask is None:
        return large
    inside = np.pad(mask[::-1].repeat(times, axis=0).repeat(times, axis=1), 1)
    core = inside[:-2, 1:-1] & inside[2:, 1:-1] & inside[1:-1, :-2] & inside[1:-1, 2:]
    large[inside[1:-1, 1:-1] & ~core] = EDGE
    return large


def unpacked_mask(text: str, shape: tuple[int, ...]) -> np.ndarray | None:
    """The mask [M, T] of its packed bits as base64; None where the text is none of that shape."""
    packed = _bytes(text)
    cells = int(np.prod(shape))
    if packed is None or len(packed) != -(-cells // 8):
        return None
    return np.unpackbits(packed, count=cells).reshape(shape).astype(bool)


def unpacked_swap(text: str, shape: tuple[int, ...]) -> np.ndarray | None:
    """Weights [M, T] in [0, 1] of their bytes as base64; None where the text is none of that shape."""
    packed = _bytes(text)
    if packed is None or packed.size != int(np.prod(shape)):
        return None
    return packed.reshape(shape) / 255


def _bytes(text: str) -> np.ndarray | None:
    try:
        return np.frombuffer(base64.b64decode(text, validate=True), dtype=np.uint8) if text else None
    except ValueError:
        return None


def _truth(fields: dict[str, Any], given: Arrays, word: str, shape: tuple[int, ...]) -> np.ndarray | None:
    """Where a word's stem sounds; None where the sound does not follow the clip, since it starts from noise alone."""
    start = given.get("start")
    if start is not None and not start.size:
        return None
    return unpacked_mask(str((fields.get("truth") or {}).get(word, "")), shape)


def _picture(mel: np.ndarray, weights: np.ndarray | None, truth: np.ndarray | None, axes: Axes) -> str:
    """The spectrogram [M, T] with a map over it and the truth's outline, and axes beside it."""
    ground = blend(mel.T, None if weights is None else weights.T)
    image = f'<img alt="Weight of each cell of the spectrogram" src="{data_url(outlined(ground, truth))}">'
    return (
        '<div class="band">'
        f'<div class="mel">{"".join(f"<span>{text}</span>" for text in heights(len(mel), axes.hz))}</div>'
        f'{image}<div></div><div class="axis">{axis(axes.length, axes.unit)}</div></div>'
    )


def _outline(fields: dict[str, Any], word: str, truth: np.ndarray | None) -> str:
    """What the outline means."""
    if truth is None:
        return ""
    share = (fields.get("density") or {}).get(word)
    cells = "" if share is None else f", {share:.0%} of all cells"
    return f'<div class="scale"><i class="outline"></i>where the stem sounds{cells}</div>'


def _play(fields: dict[str, Any], sounds: dict[tuple[str, str], str]) -> None:
    """One player of those of the sounds that are left of the item, titles by label and part.

    Nothing where none but the whole sound is.
    """
    exhibits = fields.get("exhibits") or {}
    left = {title: exhibits[key] for key, title in sounds.items() if key in exhibits}
    if left.keys() - {ORIGINAL}:
        switching(files(left), " ".join([str(fields.get("entrant", "")), *left]))


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 0
