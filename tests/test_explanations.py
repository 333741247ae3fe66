"""Arrays that explainers return, in every track: what rounding did is mended, anything else is named."""

from typing import Any

import numpy as np
import pytest
import torch

from earwitness.errors import InvalidExplanationError
from earwitness.tracks import in_unit_interval, require_real
from earwitness.tracks.band import BandMap
from earwitness.tracks.concept import Dictionary
from earwitness.tracks.prompt import TokenMap
from earwitness.tracks.speech import SpeechMap


def one(value: float, kind: Any = np.float32) -> np.ndarray:
    return np.array([[value, 0.25]], dtype=kind)


@pytest.mark.parametrize(
    ("array", "read"),
    [
        (one(1 + 2**-23), 1.0),
        (one(1 + 1e-7, np.float64), 1.0),
        (one(-1e-9, np.float64), 0.0),
        (one(1.001, np.float16), 1.0),
        (one(1, np.int64), 1.0),
        (one(1, np.bool_), 1.0),
    ],
)
def test_what_rounding_led_out_of_the_interval_is_brought_back(array: np.ndarray, read: float) -> None:
    weights = TokenMap(weights=array).weights
    assert weights[0, 0] == read
    assert weights[0, 1] == array[0, 1]
    assert weights.dtype == array.dtype


def test_what_lies_in_the_interval_is_the_same_object() -> None:
    array = one(1.0)
    assert TokenMap(weights=array).weights is array


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (one(1 + 2**-22), "found 0.25 to 1.00000024"),
        (one(-1e-6), "found -9.99999997e-07 to 0.25"),
        (one(1.002, np.float16), "found 0.25 to 1.00195312"),
        (one(2, np.int64), "found 0 to 2"),
    ],
)
def test_what_rounding_cannot_have_done_is_named_with_its_digits(array: np.ndarray, says: str) -> None:
    with pytest.raises(InvalidExplanationError, match=f"must lie in \\[0, 1\\]; {says}"):
        in_unit_interval("weights", array)


def test_a_speech_map_and_a_band_map_are_brought_back_too() -> None:
    prefix = np.array([[0.0, -1e-9], [1 + 1e-7, 0.0]])
    found = SpeechMap(spectrogram=np.full((2, 1, 1), 1 + 1e-7), prefix=prefix)
    assert found.spectrogram.max() == 1
    assert found.prefix.tolist() == [[0, 0], [1, 0]]
    assert BandMap(maps=np.array([[[-1e-8, 3.0]]])).maps.tolist() == [[[0.0, 3.0]]]
    with pytest.raises(InvalidExplanationError, match="must not be negative; found -1e-06"):
        BandMap(maps=np.array([[[-1e-6, 3.0]]]))


@pytest.mark.parametrize(
    "make",
    [
        lambda array: TokenMap(weights=array[0]),
        lambda array: SpeechMap(spectrogram=array, prefix=np.zeros((1, 1))),
        lambda array: BandMap(maps=array),
        lambda array: Dictionary(array[0], np.zeros(2), np.zeros((2, 1)), np.zeros(1)),
    ],
)
@pytest.mark.parametrize(
    ("value", "says"),
    [
        (np.nan, "must be finite; found 1 of 2 NaN or infinite"),
        (np.inf, "must be finite"),
        (1e300, "must be finite; found 1 of 2 beyond single precision"),
    ],
)
def test_what_is_no_number_in_storage_is_refused_in_every_track(make: Any, value: float, says: str) -> None:
    with pytest.raises(InvalidExplanationError, match=says):
        make(np.array([[[value, 0.0]]]))


@pytest.mark.parametrize(
    "array",
    [
        [[1, 0]],
        torch.ones(1, 2),
        np.array([[1, None]]),
        np.ones((1, 2), complex),
        np.ma.masked_array([[1, 9]], [[0, 1]]),
        "x",
    ],
)
def test_what_is_no_real_array_is_refused_by_its_kind(array: Any) -> None:
    with pytest.raises(InvalidExplanationError, match=r"must be a real numpy array \[F, N\]; found"):
        require_real("weights", array, (2,), "[F, N]")
