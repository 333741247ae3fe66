"""Files that scoring leaves: arrays as safetensors, sounds as Ogg Vorbis or FLAC, moved into place when complete."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from earwitness.atomic import atomic_write
from earwitness.errors import EarwitnessError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray


@contextmanager
def moved_into_place(path: Path) -> Iterator[Path]:
    """A temporary path to write to, moved to `path` at the end; raises EarwitnessError where it cannot be written."""
    try:
        with atomic_write(path) as temporary:
            yield temporary
    except (OSError, SafetensorError, soundfile.SoundFileError) as error:
        raise EarwitnessError(f"cannot write {path}: {error}; make room and run the same command to resume") from error


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]], fields: Mapping[str, Any]) -> None:
    """Write arrays with JSON fields; raises EarwitnessError where they cannot be written."""
    # safetensors writes memory as it lies, whatever the strides.
    whole = {name: np.ascontiguousarray(array).reshape(array.shape) for name, array in arrays.items()}
    with moved_into_place(path) as temporary:
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
    with moved_into_place(path) as temporary:
        soundfile.write(temporary, np.clip(wave, -1.0, 1.0), sample_rate, format=kind, subtype=coding)
