"""Reading the variables of a model of CTranslate2 (`model.bin`, binary versions 4 to 6), without CTranslate2.

The format is that of `ModelSpec._serialize` in CTranslate2 4.8: version, name and revision of the specification, the
variables with their types and sizes, and names that stand for another variable. All numbers are little-endian.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from earwitness.errors import ModelError, short

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

VERSIONS = range(4, 7)
TYPES = ("float32", "int8", "int16", "int32", "float16", "bfloat16")
"""Types of a variable by the number that stands for them."""
AGAIN = "fetch it again"


class SavedVariables(NamedTuple):
    """What a `model.bin` holds."""

    specification: str
    """The class of CTranslate2 that it is of, as `WhisperSpec`."""
    variables: dict[str, NDArray[Any]]
    """By name; one that stands for another is that one's array."""


def read_variables(files: Sequence[Path]) -> SavedVariables:
    """Variables of a `model.bin` that may be in parts, which follow one another.

    Raises ModelError where a file cannot be read, is no model of CTranslate2, ends early or goes on too long, or holds
    numbers in bfloat16.
    """
    place = str(files[0]) if len(files) == 1 else f"{files[0]} and {len(files) - 1} more"
    try:
        data = b"".join(path.read_bytes() for path in files)
    except OSError as error:
        raise ModelError(f"cannot read {place}: {error.strerror}; name the folder that holds model.bin") from error
    return _Reader(place, memoryview(data)).whole()


class _Reader:
    """A place in the bytes of a model."""

    def __init__(self, place: str, data: memoryview) -> None:
        self._place, self._data, self._at = place, data, 0
        self._within = "its header"

    def whole(self) -> SavedVariables:
        """All that there is; raises ModelError where it does not end with the bytes."""
        version = self._number("I")
        if version not in VERSIONS:
            raise ModelError(
                f"{self._place} is no model.bin of CTranslate2, or one of version {version}: versions "
                f"{VERSIONS[0]} to {VERSIONS[-1]} are read; name the folder of a converted model"
            )
        specification, _ = self._text(), self._number("I")
        found = dict(self._variable() for _ in range(self._number("I")))
        self._within = "its aliases"
        for _ in range(self._number("I")):
            alias, name = self._text(), self._text()
            if name not in found:
                raise ModelError(f"{self._place}: {short(alias)} stands for {short(name)}, which is not there; {AGAIN}")
            found[alias] = found[name]
        if self._at < len(self._data):
            raise ModelError(f"{self._place} goes on for {len(self._data) - self._at} bytes after its end; {AGAIN}")
        return SavedVariables(specification, found)

    def _variable(self) -> tuple[str, NDArray[Any]]:
        name = self._text()
        self._within = short(name)[:80]
        shape = [self._number("I") for _ in range(self._number("B"))]
        kind, size = self._number("B"), self._number("I")
        if kind >= len(TYPES) or TYPES[kind] == "bfloat16":
            told = TYPES[kind] if kind < len(TYPES) else f"numbers of type {kind}"
            raise ModelError(f"{self._place} holds {told} in {self._within}; take a model in float16 or float32")
        array = np.frombuffer(self._bytes(size), np.dtype(TYPES[kind]).newbyteorder("<"))
        if array.size != np.prod(shape, dtype=object):
            raise ModelError(f"{self._place} has {array.size} numbers in {self._within}, of sizes {shape}; {AGAIN}")
        return name, array.reshape(shape)

    def _text(self) -> str:
        """A text, which a zero byte ends."""
        told = bytes(self._bytes(self._number("H")))
        return told.rstrip(b"\0").decode("utf-8", "replace")

    def _number(self, kind: str) -> int:
        (found,) = struct.unpack(f"<{kind}", self._bytes(struct.calcsize(f"<{kind}")))
        return int(found)

    def _bytes(self, count: int) -> memoryview:
        found = self._data[self._at : self._at + count]
        if len(found) < count:
            raise ModelError(f"{self._place} ends within {self._within}, as half a download does; {AGAIN}")
        self._at += count
        return found
