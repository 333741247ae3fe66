"""Files that scoring leaves: arrays as safetensors, sounds as Ogg Vorbis or FLAC, moved into place when complete."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from earwitness.results.writing import moved_into_place

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]], fields: Mapping[str, Any]) -> None:
    """Write arrays with JSON fields; raises EarwitnessError where they cannot be written."""
    # safetensors writes memory as it lies, whatever the strides.
    whole = {name: np.ascontiguousarray(array).reshape(array.shape) for name, array in arrays.items()}
    with moved_into_place(path, SafetensorError) as temporary:
        save_file(whole, temporary, metadata={"fields": json.dumps(dict(fields))})


def read_arrays(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]] | None:
    """Arrays and fields of a file; None where there is none that can be read."""
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="numpy") as file:
            arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            fields = json.loads(file.metadata()["fields"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RecursionError):
        return None
    return (arrays, fields) if isinstance(fields, dict) else None


def write_sound(path: Path, wave: NDArray[np.float32], sample_rate: int) -> None:
    """Write audio [S] as Ogg Vorbis, or as FLAC of 16 bits where the path says so.

    Ogg streams carry a random number, so that the same sound is another file each time; FLAC is the same bytes. Raises
    EarwitnessError where it cannot be written.
    """
    kind, coding = ("FLAC", "PCM_16") if path.suffix == ".flac" else ("OGG", "VORBIS")
    with moved_into_place(path, soundfile.SoundFileError) as temporary:
        # What is louder than a file can hold is played softer, not cut.
        peak = max(1.0, float(np.abs(wave).max(initial=0.0)))
        soundfile.write(temporary, wave / np.float32(peak), sample_rate, format=kind, subtype=coding)
