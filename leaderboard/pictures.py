"""What the views draw arrays with: pictures that stand in the page itself, and round numbers for axes."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

INK = (255, 126, 20)
"""Colour of the largest weight; it is blended into the grey of the spectrogram, so one picture holds on any ground."""
DARK, LIGHT = 24, 236
"""Greys of the quietest and the loudest cells."""
TEXTURE = 0.35
"""How much of the spectrogram still shows under the largest weight."""
SCALE = """
.scale { display: flex; align-items: center; gap: .5rem; font-size: .85rem; margin: .1rem 0 .4rem 3.7rem }
.scale b { width: 7rem; height: .7rem; border-radius: 3px }
""".strip()
"""Style of `scale`."""


def data_url(pixels: np.ndarray) -> str:
    """Pixels [rows, columns, 3 or 4] of uint8 as a PNG in an address that an image of the page may have."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def axis(length: float, unit: str) -> str:
    """About five round numbers from 0 to the length, the last with the unit, as spans placed along a line."""
    step = next(step for step in (0.1, 0.25, 0.5, 1, 2, 5, 10, 25, 50, 100, 500, 1e9) if length / step <= 6)
    at = np.arange(0, length + step / 1000, step).tolist()
    return "".join(
        f'<span style="left: {100 * number / length:.2f}%">{number:g}{f" {unit}" if number == at[-1] else ""}</span>'
        for number in at
    )


def blend(features: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
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


def _between(weights: np.ndarray) -> np.ndarray:
    """Weights brought to [0, 1] by their ends, 0 below the lower; 0 where they are all equal."""
    low, high = ends(weights)
    shares = (weights.astype(np.float64) - low) / (high - low) if high > low else np.zeros(weights.shape)
    return np.clip(shares, 0, 1)


def ends(weights: np.ndarray) -> tuple[float, float]:
    """Weights that are drawn without colour and in full colour.

    The lower is the median, so that a signed map, whose zeros lie in the middle of its range, is no flat of colour; it
    is the least where the median is the largest.
    """
    median, high = float(np.median(weights)), float(weights.max())
    return (median if median < high else float(weights.min())), high


def scale(weights: np.ndarray) -> str:
    """What the colour of a blended map means."""
    strip = f"background: linear-gradient(90deg, rgb({DARK * 4}, {DARK * 4}, {DARK * 4}), rgb{INK})"
    low, high = ends(weights)
    least = f"{low:.3g}" if low == weights.min() else f"up to {low:.3g}"
    return f'<div class="scale">weight of a cell: {least}<b style="{strip}"></b>{high:.3g}</div>'
