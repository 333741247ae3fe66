"""What the views draw arrays with: pictures that stand in the page itself, and round numbers for axes."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import numpy as np

from earwitness.exhibits.pictures import DARK, INK, ends, png

SCALE = """
.scale { display: flex; align-items: center; gap: .5rem; font-size: .85rem; margin: .1rem 0 .4rem 3.7rem }
.scale b { width: 7rem; height: .7rem; border-radius: 3px }
""".strip()
"""Style of `scale`."""


def data_url(pixels: np.ndarray) -> str:
    """Pixels [rows, columns, 3 or 4] of uint8 as a PNG in an address that an image of the page may have."""
    return "data:image/png;base64," + base64.b64encode(png(pixels)).decode()


def axis(length: float, unit: str) -> str:
    """About five round numbers from 0 to the length, the last with the unit, as spans placed along a line."""
    step = next(step for step in (0.1, 0.25, 0.5, 1, 2, 5, 10, 25, 50, 100, 500, 1e9) if length / step <= 6)
    at = np.arange(0, length + step / 1000, step).tolist()
    return "".join(
        f'<span style="left: {100 * number / length:.2f}%">{number:g}{f" {unit}" if number == at[-1] else ""}</span>'
        for number in at
    )


def heights(bins: int, hz: Sequence[float]) -> list[str]:
    """What stands beside a spectrogram, from top to bottom: frequencies where those of its bins are known.

    >>> heights(3, [100.0, 1000.0, 4000.0]), heights(80, [])
    (['4 kHz', '1 kHz', '100 Hz'], ['80', 'mel', '1'])
    """
    if len(hz) != bins:
        return [str(bins), "mel", "1"]
    places = (
        (bins - 1, 3 * (bins - 1) // 4, (bins - 1) // 2, (bins - 1) // 4, 0) if bins > 8 else (bins - 1, bins // 2, 0)
    )
    return [f"{hz[at] / 1000:.2g} kHz" if hz[at] >= 1000 else f"{hz[at]:.0f} Hz" for at in places]


def scale(weights: np.ndarray) -> str:
    """What the colour of a blended map means."""
    strip = f"background: linear-gradient(90deg, rgb({DARK * 4}, {DARK * 4}, {DARK * 4}), rgb{INK})"
    low, high = ends(weights)
    least = f"{low:.3g}" if low == weights.min() else f"up to {low:.3g}"
    return f'<div class="scale">weight of a cell: {least}<b style="{strip}"></b>{high:.3g}</div>'
