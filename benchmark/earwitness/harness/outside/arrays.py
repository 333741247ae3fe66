"""Arrays from a stranger's bytes: none is read that is not what the item's explanation is made of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError
from safetensors.numpy import load

from earwitness.errors import InvalidExplanationError, one_line, shortened
from earwitness.handed_in import unrepeated

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from earwitness.scoring.outside import ExpectedArray

LONGEST_HEADER = 1 << 20
"""Bytes of what a file says of its arrays, at most."""
LENGTH = 8
"""Bytes that tell how long that is."""
DTYPES = {"F32": "float32", "F64": "float64"}
"""Of explanations, as the format names them."""


def read_arrays(body: bytes, expected: Sequence[ExpectedArray] | None) -> dict[str, np.ndarray]:
    """The arrays of a safetensors file, by name; whatever it holds where nothing is known of its item.

    Raises InvalidExplanationError, in one line, where it is none, holds an array twice, lacks one of the expected, or
    has one of another name, type or shape; nothing is allocated before that is known.
    """
    told = _header(body)
    if expected is not None:
        _require(told, expected)
    try:
        return dict(load(body))
    except (SafetensorError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise InvalidExplanationError(f"it is no safetensors file: {one_line(error)}") from error


def _header(body: bytes) -> dict[str, Any]:
    """What a file says of its arrays, by name."""
    length = int.from_bytes(body[:LENGTH], "little")
    if len(body) < LENGTH or length > min(LONGEST_HEADER, len(body) - LENGTH):
        raise InvalidExplanationError("it is no safetensors file: its header is cut off or too long")
    try:
        told = json.loads(body[LENGTH : LENGTH + length], object_pairs_hook=unrepeated)
    except (ValueError, RecursionError) as error:
        raise InvalidExplanationError(f"it is no safetensors file: {one_line(error)}") from error
    if not isinstance(told, dict):
        raise InvalidExplanationError("it is no safetensors file: its header is no object")
    told.pop("__metadata__", None)
    return told


def _require(told: Mapping[str, Any], expected: Sequence[ExpectedArray]) -> None:
    """Raise InvalidExplanationError unless a file says that it holds what is expected, and nothing else."""
    known = {array.name: array for array in expected}
    listed = ", ".join(known)
    unknown = sorted(set(told) - set(known))
    if unknown:
        raise InvalidExplanationError(f"it holds an array {shortened(unknown[0])!r}; an explanation here has {listed}")
    missing = [name for name, array in known.items() if name not in told and not array.optional]
    if missing:
        raise InvalidExplanationError(f"it lacks the array {missing[0]}; an explanation here has {listed}")
    for name, entry in told.items():
        array = known[name]
        entry = entry if isinstance(entry, dict) else {}
        dtype, shape = str(entry.get("dtype")), entry.get("shape")
        if DTYPES.get(dtype) != array.dtype:
            found = shortened(DTYPES.get(dtype, dtype))
            raise InvalidExplanationError(f"{name} must be {array.dtype}; found {found}")
        sizes = shape if isinstance(shape, list) and all(isinstance(size, int) for size in shape) else None
        if sizes is None or not array.fits(sizes):
            wanted = " or ".join(written(each) for each in array.shapes)
            raise InvalidExplanationError(f"{name} must be {wanted}; found {shortened(str(shape))}")


def written(shape: Sequence[int | None]) -> str:
    """A shape as messages have it, any size as *.

    >>> written((16, None))
    '[16, *]'
    """
    return f"[{', '.join('*' if size is None else str(size) for size in shape)}]"
