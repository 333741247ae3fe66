import json
import os
import struct
import threading

import numpy as np
import pytest

from earwitness.box import frames


@pytest.fixture
def pipe():
    read, write = os.pipe()
    yield read, write
    for descriptor in (read, write):
        try:
            os.close(descriptor)
        except OSError:
            continue


def send(descriptor: int, data: bytes) -> None:
    """Write from a thread, since a pipe holds 64 KiB."""

    def write() -> None:
        try:
            frames.write(descriptor, data)
        except OSError:
            return

    threading.Thread(target=write, daemon=True).start()


def test_a_frame_comes_back_as_it_was(pipe: tuple[int, int]) -> None:
    arrays = {"a/x": np.arange(100_000, dtype=np.float32), "b": np.array([[True, False]]), "empty": np.zeros((0, 3))}
    send(pipe[1], frames.pack({"items": [{"id": "ä"}]}, arrays))
    frame = frames.read(pipe[0])
    assert frame.fields == {"items": [{"id": "ä"}]}
    assert sorted(frame.arrays) == sorted(arrays)
    for name, array in arrays.items():
        assert frame.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(frame.arrays[name], array)


def test_an_array_that_is_a_strided_view_arrives_with_its_values(pipe: tuple[int, int]) -> None:
    view = np.arange(12.0).reshape(3, 4).T[::2]
    send(pipe[1], frames.pack({}, {"x": view}))
    np.testing.assert_array_equal(frames.read(pipe[0]).arrays["x"], view)


def test_a_length_over_the_cap_is_refused_before_the_body_is_read(pipe: tuple[int, int]) -> None:
    os.write(pipe[1], struct.pack("<Q", 1 << 60))
    with pytest.raises(frames.FrameError, match="at most"):
        frames.read(pipe[0])


def test_a_stream_that_ends_within_a_frame_is_no_frame(pipe: tuple[int, int]) -> None:
    os.write(pipe[1], frames.pack({}, {"x": np.ones(4)})[:-3])
    os.close(pipe[1])
    with pytest.raises(frames.FrameError, match="ended"):
        frames.read(pipe[0])


def body(header: object, data: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def one_array(**changes: object) -> bytes:
    header = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4], **changes}
    return body({"__metadata__": {"fields": "{}"}, "x": header}, b"1234")


@pytest.mark.parametrize(
    "planted",
    [
        b"",
        b"\xff" * 64,
        struct.pack("<Q", 1 << 40) + b"{}",
        b"\x80\x04cposix\nsystem\n(S'true'\ntR.",
        body([]),
        body({}),
        body({"__metadata__": {"fields": "[]"}}),
        body({"__metadata__": {"fields": "{"}}),
        body({"__metadata__": {"fields": "[" * 100_000}}),
        one_array(shape=[1 << 40]),
        one_array(data_offsets=[0, 1 << 40]),
        one_array(dtype="NO"),
    ],
)
def test_what_is_no_frame_is_refused(planted: bytes) -> None:
    with pytest.raises(frames.FrameError):
        frames.unpack(planted)


def test_waiting_can_be_ended_by_the_clock(pipe: tuple[int, int]) -> None:
    class OverError(Exception):
        pass

    def tick() -> None:
        raise OverError

    with pytest.raises(OverError):
        frames.read(pipe[0], tick)


def test_a_side_that_takes_nothing_does_not_hold_up_the_clock(pipe: tuple[int, int]) -> None:
    class OverError(Exception):
        pass

    def tick() -> None:
        raise OverError

    os.set_blocking(pipe[1], False)
    with pytest.raises(OverError):
        frames.write(pipe[1], b"x" * (1 << 20), tick)
