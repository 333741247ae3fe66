"""Recorded speech read from files, and what makes a file no use: each fault is one line that says what to do.

A file whose faults would be explained away as the model's must not be scored, so every fault raises InvalidItemError.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from earwitness.errors import InvalidItemError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

LONGEST = 60.0
"""Seconds that are read at most where nothing else is asked for."""
SILENCE = 1e-3
"""Peak around the mean, full scale 1, under which a recording is silent: -60 dB, 5 bits of a 16-bit file."""
FULL_SCALE = 1 - 1.5 / 2**15
"""Both ends of a 16-bit file, 32767 and -32768, lie above it, and the step below them does not."""
RUN = 3
"""Samples at full scale, one after the other, that count as clipped: a recording that is scaled to its peak touches
full scale at single samples."""
CLIPPED = 1e-3
"""Share of clipped samples from which a recording is refused. Were amplitudes Laplacian and the peak 18 dB above the
RMS, as is usual in speech, peaks would be cut by some 4 dB there."""
OVERHANG = 0.02
"""Seconds by which a segment may end after its file: both are written with two decimals, each rounded."""
STREAMED = 0x7FFF_FFFF - 0xFFFF
"""A length of a WAV's data from which on it is a placeholder: the writer could not go back to fill it in."""

UNTOLD = 2**62
"""Number of samples from which on it is libsndfile's placeholder for a FLAC file that was streamed."""


@dataclass(frozen=True)
class AudioFile:
    """A recording, or a segment of one, that is read when it is called with a sample rate."""

    path: Path
    start: float = 0.0
    """Seconds."""
    seconds: float | None = None
    """None reads to the end."""
    longest: float = LONGEST

    def __call__(self, sample_rate: int) -> NDArray[np.float32]:
        """Samples [S] in [-1, 1]; raises InvalidItemError as `read_audio`."""
        return read_audio(self.path, sample_rate, self.start, self.seconds, self.longest)


def read_audio(
    path: Path, sample_rate: int, start: float = 0.0, seconds: float | None = None, longest: float = LONGEST
) -> NDArray[np.float32]:
    """Samples [S] in [-1, 1] of a mono recording of `sample_rate` Hz, or of the segment that starts at `start` seconds.

    Nothing is resampled or mixed, and no more than `longest` seconds are read. Raises InvalidItemError, in one line,
    where the file is missing, unreadable, truncated, empty, silent, clipped, of several channels, of another sample
    rate or longer than `longest` seconds, and where the segment lies outside it.
    """
    with opened(path) as file:
        _check_format(path, file, sample_rate)
        first, count = _extent(path, file, start, seconds)
        if count > longest * sample_rate:
            raise InvalidItemError(
                f"{path}: {count / sample_rate:.1f} s long, and at most {longest:g} s are read; cut it into segments"
            )
        file.seek(first)
        audio: NDArray[np.float32] = file.read(count, dtype="float32")
    if len(audio) < count:
        raise InvalidItemError(f"{path}: truncated: {len(audio)} of {count} samples are there; fetch it again")
    _check_content(path, audio)
    return np.clip(audio, -1.0, 1.0)


@contextmanager
def opened(path: Path) -> Iterator[soundfile.SoundFile]:
    """An audio file to read from; raises InvalidItemError where it is missing, empty or damaged."""
    if not path.is_file():
        raise InvalidItemError(f"{path}: no such file; fetch it, or take its line out of the dataset")
    if not path.stat().st_size:
        raise InvalidItemError(f"{path}: empty: the file has no bytes; fetch it again")
    try:
        with soundfile.SoundFile(path) as file:
            yield file
    except (soundfile.SoundFileError, OSError) as error:
        said = str(error).rpartition(f"{str(path)!r}: ")[2].rstrip(".")
        raise InvalidItemError(f"{path}: damaged, truncated or no audio: {said}; fetch it again") from error


def _check_format(path: Path, file: soundfile.SoundFile, sample_rate: int) -> None:
    """Raise InvalidItemError unless the header tells of mono audio at the sample rate, with all its samples."""
    if file.channels != 1:
        raise InvalidItemError(f"{path}: {file.channels} channels; mix to one: ffmpeg -i {path.name} -ac 1 mono.wav")
    if file.samplerate != sample_rate:
        raise InvalidItemError(
            f"{path}: sampled at {file.samplerate} Hz, and the model hears {sample_rate} Hz; "
            f"convert it: ffmpeg -i {path.name} -ar {sample_rate} converted.wav"
        )
    promised, held = _wav_bytes(path)
    if held < promised:
        raise InvalidItemError(f"{path}: truncated: {held} of {promised} bytes of sound are there; fetch it again")


def _extent(path: Path, file: soundfile.SoundFile, start: float, seconds: float | None) -> tuple[int, int]:
    """First sample and number of samples of a segment; raises InvalidItemError where it is none or lies outside."""
    rate, held = file.samplerate, file.frames
    if not held:
        raise InvalidItemError(f"{path}: empty: no samples; fetch it again")
    if held >= UNTOLD:
        raise InvalidItemError(f"{path}: its header tells no length; write it again: ffmpeg -i {path.name} again.flac")
    if start < 0 or (seconds is not None and not seconds > 0):
        length = "" if seconds is None else f" that lasts {seconds:g} s"
        raise InvalidItemError(f"{path}: no segment starts at {start:g} s{length}; mend the dataset's list of segments")
    first = round(start * rate)
    last = held if seconds is None else round((start + seconds) * rate)
    if first >= held or last > held + OVERHANG * rate:
        raise InvalidItemError(
            f"{path}: its segment of {start:g} to {last / rate:g} s ends after its {held / rate:g} s; fetch it again, "
            "or mend the dataset's list of segments"
        )
    return first, min(last, held) - first


def _check_content(path: Path, audio: NDArray[np.float32]) -> None:
    """Raise InvalidItemError where samples [S] are none, not finite, silent or clipped."""
    if not len(audio):
        raise InvalidItemError(f"{path}: empty: the segment has no samples; mend the dataset's list of segments")
    if not np.isfinite(audio).all():
        raise InvalidItemError(f"{path}: samples that are not finite; record or convert it again")
    peak = float(np.abs(audio - audio.mean(dtype=np.float64)).max())
    if peak < SILENCE:
        raise InvalidItemError(f"{path}: silent: no sample exceeds {SILENCE:g} of full scale; record it again")
    share = clipped_share(audio)
    if share > CLIPPED:
        raise InvalidItemError(f"{path}: clipped: {share:.1%} of samples at full scale; record it at a lower level")


def clipped_share(audio: NDArray[np.float32]) -> float:
    """Share of samples [S] that lie in runs of at least `RUN` samples at or beyond the same end of full scale.

    >>> clipped_share(np.array([0.2, 1.0, 1.0, 1.0, -1.0, -1.0, 0.5, 1.0], dtype=np.float32))
    0.375
    """
    clipped = 0
    for end in (audio >= FULL_SCALE, audio <= -FULL_SCALE):
        edges = np.flatnonzero(np.diff(end, prepend=False, append=False))
        runs = edges[1::2] - edges[::2]
        clipped += int(runs[runs >= RUN].sum())
    return clipped / len(audio)


def _wav_bytes(path: Path) -> tuple[int, int]:
    """Bytes of sound that a WAV's header promises, and bytes that are there; 0 and 0 where it promises none.

    libsndfile takes the length of a WAV that was cut off for the length of the sound.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(4) != b"RIFF":
            return 0, 0
        file.seek(12)
        while len(header := file.read(8)) == 8:
            length = int.from_bytes(header[4:], "little")
            if header[:4] == b"data":
                return (0, 0) if length >= STREAMED else (length, size - file.tell())
            file.seek(length + length % 2, 1)
    return 0, 0
