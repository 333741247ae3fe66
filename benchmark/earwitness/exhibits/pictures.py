"""Pictures of arrays: a map over a spectrogram, and weights of tokens over time, as pixels and as PNG."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

INK = (255, 126, 20)
"""Colour of the largest weight; it is blended into the grey of the spectrogram, so one picture holds on any ground."""
DARK, LIGHT = 24, 236
"""Greys of the quietest and the loudest cells."""
TEXTURE = 0.35
"""How much of the spectrogram still shows under the largest weight."""
ROW, ACROSS, LETTERS, CHARACTERS = 18, 600, 12, 24
"""Pixels of a token's row, of all frames and of a letter's height, and letters of a token that are written."""


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Pixels [rows, columns, 3 or 4] as a PNG file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG", optimize=True)
    return file.getvalue()


def blend(features: NDArray[np.floating], weights: NDArray[np.floating] | None) -> NDArray[np.uint8]:
    """Pixels [M, T, 3]: the spectrogram [T, M] in grey, low bins at the bottom, blended with a map [T, M] in colour.

    The colour's share of a cell is its weight's place between the map's median and its largest.
    """
    low, high = np.percentile(features, (1, 99))
    loudness = np.clip((features - low) / max(high - low, 1e-9), 0, 1)
    grey = (DARK + (LIGHT - DARK) * loudness)[..., None]
    share = 0.0 if weights is None else _between(weights)[..., None]
    inked = TEXTURE * grey + (1 - TEXTURE) * np.array(INK)
    pixels = np.round((1 - share) * grey + share * inked).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(pixels, (*features.shape, 3)).transpose(1, 0, 2)[::-1])


def _between(weights: NDArray[np.floating]) -> NDArray[np.float64]:
    """Weights brought to [0, 1] by their ends, 0 below the lower; 0 where they are all equal."""
    low, high = ends(weights)
    shares = (weights.astype(np.float64) - low) / (high - low) if high > low else np.zeros(weights.shape)
    return np.asarray(np.clip(shares, 0, 1))


def ends(weights: NDArray[np.floating]) -> tuple[float, float]:
    """Weights that are drawn without colour and in full colour.

    The lower is the median, so that a signed map, whose zeros lie in the middle of its range, is no flat of colour; it
    is the least where the median is the largest.
    """
    median, high = float(np.median(weights)), float(weights.max())
    return (median if median < high else float(weights.min())), high


def token_map(tokens: Sequence[str], weights: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Pixels [rows, columns, 3]: a row for each of N tokens with its name, white to ink over F frames by weights [F, N]
    in [0, 1]."""
    share = np.clip(weights.astype(np.float64).T, 0, 1)[..., None]
    cells = np.round(255 + share * (np.array(INK) - 255)).astype(np.uint8)
    columns = np.arange(ACROSS) * cells.shape[1] // ACROSS
    names = _names([token[:CHARACTERS] for token in tokens])
    return np.concatenate([names, cells[:, columns].repeat(ROW, axis=0)], axis=1)


def _names(texts: Sequence[str]) -> NDArray[np.uint8]:
    """Pixels [ROW * N, columns, 3] with N texts, one under the other, in black on white."""
    font = ImageFont.load_default(LETTERS)
    width = 8 + max(int(font.getlength(text)) + 1 for text in texts)
    picture = Image.new("RGB", (width, ROW * len(texts)), (255, 255, 255))
    draw = ImageDraw.Draw(picture)
    for place, text in enumerate(texts):
        draw.text((width - 4, ROW * place + ROW // 2), text, fill=(0, 0, 0), font=font, anchor="rm")
    return np.asarray(picture, dtype=np.uint8)
