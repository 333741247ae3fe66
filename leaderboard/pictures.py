"""What the views draw arrays with: pictures that stand in the page itself, and round numbers for axes."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image


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
