"""Frames between the two sides of a box: a length, then safetensors with JSON in its metadata. Never pickle.

A frame comes from code that nobody trusts: its length is checked before the body is read, and a body is parsed by
safetensors alone, which allocates no more than the bytes it was given.
"""

from __future__ import annotations

import json
import os
import select
import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_BYTES = 256 << 20
"""Longest frame that is read."""
_LENGTH = struct.Struct("<Q")
_CHUNK = 1 << 20


class FrameError(Exception):
    """Bytes that are no frame, or a stream that ended."""


@dataclass(frozen=True)
class Frame:
    """JSON fields and arrays."""

    fields: dict[str, Any]
    arrays: dict[str, np.ndarray]


def pack(fields: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    """The bytes of a frame, its length in front.

    >>> frame = unpack(pack({"a": 1}, {"x": np.arange(3)})[8:])
    >>> frame.fields, frame.arrays["x"].tolist()
    ({'a': 1}, [0, 1, 2])
    """
    body = save(
        {name: np.ascontiguousarray(array).reshape(array.shape) for name, array in arrays.items()},
        metadata={"fields": json.dumps(dict(fields))},
    )
    return _LENGTH.pack(len(body)) + body


def unpack(body: bytes) -> Frame:
    """The frame of these bytes, without the length; raises FrameError."""
    try:
        (length,) = _LENGTH.unpack(body[: _LENGTH.size])
        header = json.loads(body[_LENGTH.size : _LENGTH.size + length])
        fields = json.loads(header["__metadata__"]["fields"])
        arrays = load(body)
    except (SafetensorError, struct.error, ValueError, KeyError, TypeError, RecursionError) as error:
        raise FrameError(f"not a frame: {type(error).__name__}") from error
    if not isinstance(fields, dict):
        raise FrameError("not a frame: its fields are no object")
    return Frame(fields, arrays)


def write(descriptor: int, data: bytes, tick: Callable[[], None] | None = None) -> None:
    """Write all bytes; raises OSError where the other side is gone.

    With `tick`, which is called about twice a second while the other side takes nothing and may raise, the descriptor
    must not block.
    """
    view = memoryview(data)
    while view:
        if tick is not None and not select.select([], [descriptor], [], 0.5)[1]:
            tick()
            continue
        view = view[os.write(descriptor, view) :]


def read(descriptor: int, tick: Callable[[], None] | None = None, cap: int = MAX_BYTES) -> Frame:
    """The next frame; raises FrameError where the stream ends, a frame is longer than `cap` bytes or is none.

    `tick` is called about twice a second while nothing comes and may raise.
    """
    (length,) = _LENGTH.unpack(_exactly(descriptor, _LENGTH.size, tick))
    if length > cap:
        raise FrameError(f"a frame of {length} bytes; at most {cap} are read")
    return unpack(_exactly(descriptor, length, tick))


def _exactly(descriptor: int, size: int, tick: Callable[[], None] | None) -> bytes:
    chunks, missing, asked = [], size, time.monotonic()
    while missing:
        if tick is not None:
            ready, _, _ = select.select([descriptor], [], [], 0.5)
            # A side that sends a byte at a time must not keep the clock from being read.
            if not ready or time.monotonic() - asked > 0.5:
                tick()
                asked = time.monotonic()
            if not ready:
                continue
        chunk = os.read(descriptor, min(missing, _CHUNK))
        if not chunk:
            raise FrameError("the stream ended")
        chunks.append(chunk)
        missing -= len(chunk)
    return b"".join(chunks)
