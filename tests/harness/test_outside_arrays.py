"""A stranger's bytes: what is no array of the item's explanation is one line, and nothing else happens."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from earwitness.errors import InvalidExplanationError
from earwitness.harness.outside.arrays import read_arrays
from earwitness.scoring.outside import ExpectedArray

WEIGHTS = (ExpectedArray("weights", ((3, 4), (4,)), ""), ExpectedArray("order", ((3, 4), (4,)), "", optional=True))
ANY = (ExpectedArray("weights", ((4, None),), ""),)


def file_of(header: Any, body: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def entry(dtype: str = "F32", shape: Any = (4,), size: int = 16) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [0, size]}


def test_arrays_come_back_bit_for_bit() -> None:
    weights = np.random.default_rng(0).random((3, 4), np.float32)
    found = read_arrays(save({"weights": weights, "order": weights}), WEIGHTS)
    assert sorted(found) == ["order", "weights"]
    assert np.array_equal(found["weights"], weights)


def test_metadata_is_no_array() -> None:
    assert list(read_arrays(save({"weights": np.zeros(4, np.float32)}, {"made": "by hand"}), WEIGHTS)) == ["weights"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "its header is cut off or too long"),
        (b"\xff" * 8, "its header is cut off or too long"),
        ((2 << 20).to_bytes(8, "little") + b"{" * (2 << 20), "its header is cut off or too long"),
        (b"PK\x03\x04" + b"\0" * 60, "is no safetensors file"),
        (file_of(b"[" * 100_000), "is no safetensors file"),
        (file_of([]), "its header is no object"),
        (file_of({}), "it lacks the array weights; an explanation here has weights, order"),
        (file_of({"maps": entry()}, b"\0" * 16), "it holds an array 'maps'; an explanation here has weights, order"),
        (file_of({"weights": entry(), "\x1b": entry()}, b"\0" * 16), "it holds an array"),
        (
            file_of(b'{"weights": {}, "weights": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}', b"\0" * 16),
            "the key 'weights' is there twice",
        ),
        (save({"weights": np.zeros(4)}), "weights must be float32; found float64"),
        (save({"weights": np.zeros(4, np.int64)}), "weights must be float32; found I64"),
        (file_of({"weights": entry("BF16", size=8)}, b"\0" * 8), "weights must be float32; found BF16"),
        (file_of({"weights": entry("F8_E4M3", size=4)}, b"\0" * 4), "weights must be float32; found F8_E4M3"),
        (file_of({"weights": entry(["F32"])}, b"\0" * 16), "weights must be float32; found ['F32']"),
        (file_of({"weights": 3}), "weights must be float32; found None"),
        (save({"weights": np.zeros((), np.float32)}), "weights must be [3, 4] or [4]; found []"),
        (save({"weights": np.zeros((4, 3), np.float32)}), "weights must be [3, 4] or [4]; found [4, 3]"),
        (save({"weights": np.zeros((0, 4), np.float32)}), "weights must be [3, 4] or [4]; found [0, 4]"),
        (file_of({"weights": entry(shape=[2**62])}, b"\0" * 16), "found [4611686018427387904]"),
        (file_of({"weights": entry(shape=[1] * 10_000 + [4])}, b"\0" * 16), "weights must be [3, 4] or [4]; found [1"),
        (file_of({"weights": entry(shape="4")}, b"\0" * 16), "weights must be [3, 4] or [4]; found 4"),
        (file_of({"weights": entry(shape=None)}, b"\0" * 16), "weights must be [3, 4] or [4]; found None"),
        (file_of({"weights": entry()}, b"\0" * 15), "is no safetensors file"),
        (file_of({"weights": entry()}, b"\0" * 17), "is no safetensors file"),
        (file_of({"weights": entry(), "order": entry()}, b"\0" * 16), "is no safetensors file"),
    ],
)
def test_what_is_no_explanation_is_one_short_line(body: bytes, says: str) -> None:
    with pytest.raises(InvalidExplanationError) as caught:
        read_arrays(body, WEIGHTS)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("size", [-1, 2**40, 2**64])
def test_an_open_size_that_the_bytes_do_not_hold_is_refused(size: int) -> None:
    with pytest.raises(InvalidExplanationError):
        read_arrays(file_of({"weights": entry(shape=[4, size])}, b"\0" * 16), ANY)


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=100), st.binary(max_size=40))
def test_no_bytes_end_in_another_error(header: bytes, body: bytes) -> None:
    with pytest.raises(InvalidExplanationError):
        read_arrays(file_of(header, body), WEIGHTS)
