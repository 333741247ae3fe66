"""Pictures of maps as pixels."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from earwitness.exhibits.pictures import ACROSS, INK, ROW, png, token_map


def test_a_token_has_a_row_with_its_name_and_its_weights_in_ink() -> None:
    weights = np.array([[1.0, 0.0], [0.0, 0.5]])
    pixels = token_map(["dog", "barking"], weights)
    assert pixels.shape[0] == 2 * ROW
    cells = pixels[:, -ACROSS:]
    assert cells[0, 0].tolist() == list(INK)
    assert cells[0, -1].tolist() == [255, 255, 255]
    assert cells[-1, 0].tolist() == [255, 255, 255]
    names = pixels[:, :-ACROSS]
    assert (names[:ROW] < 128).any()
    assert (names[ROW:] < 128).sum() > (names[:ROW] < 128).sum()


def test_a_png_is_the_pixels_and_the_same_bytes_each_time() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (5, 7, 3)).astype(np.uint8)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png(pixels)))), pixels)
    assert png(pixels) == png(pixels)
