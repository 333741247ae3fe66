"""Recorded speech read from files, and what makes a file no use: each fault is one line that says what to do.

A file whose faults would be explained away as the model's must not be scored, so every fault raises InvalidItemError.
"""

from __future__ import annotations

import math
import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from earwitness.datasets import headers
from earwitness.datasets.text_files import in_place_of
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
"""Equal samples at full scale, one after the other, that count as clipped: a recording that is scaled to its peak
touches full scale at single samples, and a resampled one swings beyond it."""
CLIPPED = 1e-3
"""Share of clipped samples from which a recording is refused. Were amplitudes Laplacian and the peak 18 dB above the
RMS, as is usual in speech, peaks would be cut by some 4 dB there."""
OVERHANG = 0.02
"""Seconds by which a segment may end after its file: both are written with two decimals, each rounded."""
STREAMED = 2**30
"""Bytes of sound from which on a header's length is a placeholder of a writer that could not go back to fill it in
(FFFFFFFF of ffmpeg, 7FFFF000 of sox and espeak, 80000000 of arecord, 2,000,000,000). It is 9 hours of 16-bit mono at
16 kHz; a shorter length is believed, and a file that holds less is truncated."""
ROUNDED = 1.01
"""Largest sample of a float file, full scale 1, that is cut to 1: a resampler's or a filter's ripple."""
OVERSHOOT = 1.26
"""The same of a file of lossy coding: decoders overshoot what lay at full scale by up to 2 dB, and players cut it."""
LOSSY = ("VORBIS", "OPUS", "MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III")
INTEGERS = 64.0
"""Largest sample of a float file from which on it is of integers that nobody divided."""
KINDS = ("WAV", "WAVEX", "RF64", "AIFF", "AU", "CAF", "FLAC", "OGG", "MP3")
"""libsndfile's names of the kinds of files that are read: of the others half a file reads as a whole one."""
SUFFIXES = (
    ".flac", ".wav", ".wave", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".aifc", ".au", ".snd", ".caf", ".rf64",
)  # fmt: skip
"""Names' ends of the files that are read."""
UNREADABLE = (
    ".m4a", ".mp4", ".aac", ".wma", ".webm", ".mka", ".amr", ".ape", ".wv", ".3gp", ".w64", ".sph", ".nist", ".voc",
    ".svx", ".8svx", ".paf", ".avr", ".pvf", ".ircam", ".sd2", ".sds",
)  # fmt: skip
"""Names' ends of sound that is not read."""

UNTOLD = 2**62
"""Number of samples from which on it is libsndfile's placeholder for a FLAC file that was streamed."""


@dataclass(frozen=True)
class AudioFile:
    """A recording, or a segment of one, that is read when it is called with a sample rate."""

    path: Path
    """Where it is looked for first, and then as `lying` does."""
    start: float = 0.0
    """Seconds."""
    seconds: float | None = None
    """None reads to the end."""
    longest: float = LONGEST

    def __call__(self, sample_rate: int) -> NDArray[np.float32]:
        """Samples [S] in [-1, 1]; raises InvalidItemError as `read_audio`."""
        return read_audio(lying(self.path), sample_rate, self.start, self.seconds, self.longest)


def read_audio(
    path: Path, sample_rate: int, start: float = 0.0, seconds: float | None = None, longest: float = LONGEST
) -> NDArray[np.float32]:
    """Samples [S] in [-1, 1] of a mono recording of `sample_rate` Hz, or of the segment that starts at `start` seconds.

    Nothing is resampled or mixed, and no more than `longest` seconds are read. Raises InvalidItemError, in one line,
    where the file is missing, unreadable, truncated, empty, silent, clipped, beyond full scale, of several channels, of
    another sample rate or longer than `longest` seconds, and where the segment lies outside it.
    """
    with opened(path) as file:
        _check_format(path, file, sample_rate)
        first, count = _extent(path, file, start, seconds)
        if count > longest * sample_rate:
            raise InvalidItemError(
                f"{path}: {count / sample_rate:.1f} s long, and at most {longest:g} s are read; cut it into segments"
            )
        audio, subtype = _samples(file, first, count), file.subtype
    if len(audio) < count:
        raise InvalidItemError(f"{path}: truncated: {len(audio)} of {count} samples are there; fetch it again")
    _check_content(path, audio, subtype)
    return np.clip(audio, -1.0, 1.0)


def _samples(file: soundfile.SoundFile, first: int, count: int) -> NDArray[np.float32]:
    """Samples [count] from `first` on, fewer where fewer are there; some codings (GSM 6.10) are read from the start."""
    skipped = first
    if file.seekable():
        skipped = first - file.seek(first)
    audio: NDArray[np.float32] = file.read(skipped + count, dtype="float32")
    return audio[skipped:]


@contextmanager
def opened(path: Path) -> Iterator[soundfile.SoundFile]:
    """An audio file to read from; raises InvalidItemError where it is missing, empty, damaged or of another kind.

    A WAV whose writer could not go back to fill in its length is read to its end, or to the chunks that end the file.
    """
    try:
        if not os.path.isfile(path):
            raise InvalidItemError(f"{path}: {in_place_of(path)}; fetch it, or take its line out of the dataset")
        if not path.stat().st_size:
            raise InvalidItemError(f"{path}: empty: the file has no bytes; fetch it again")
        with soundfile.SoundFile(headers.mended(path, STREAMED) or path) as file:
            if file.format not in KINDS:
                raise InvalidItemError(
                    f"{path}: {file.format_info} is not read, since half a file looks like a whole one; convert it to "
                    f"WAV or FLAC: ffmpeg -i {path.name} converted.wav"
                )
            _require_whole(path)
            yield file
    except (soundfile.SoundFileError, OSError) as error:
        other = headers.no_sound(path)
        if other:
            raise InvalidItemError(f"{path}: {other}") from error
        said = str(getattr(error, "error_string", error)).rpartition(f"{str(path)!r}: ")[2].rstrip(".")
        raise InvalidItemError(f"{path}: damaged, truncated or no audio: {said}; fetch it again") from error


def _check_format(path: Path, file: soundfile.SoundFile, sample_rate: int) -> None:
    """Raise InvalidItemError unless the header tells of mono audio at the sample rate."""
    if file.channels != 1:
        raise InvalidItemError(f"{path}: {file.channels} channels; mix to one: ffmpeg -i {path.name} -ac 1 mono.wav")
    if file.samplerate != sample_rate:
        raise InvalidItemError(
            f"{path}: sampled at {file.samplerate} Hz, and the model hears {sample_rate} Hz; "
            f"convert it: ffmpeg -i {path.name} -ar {sample_rate} converted.wav"
        )


def _require_whole(path: Path) -> None:
    """Raise InvalidItemError where less or more of a file's sound is there than its header tells."""
    promised, held = headers.bytes_of_sound(path)
    if held < promised < STREAMED:
        raise InvalidItemError(f"{path}: truncated: {held} of {promised} bytes of sound are there; fetch it again")
    if headers.is_cut_ogg(path):
        raise InvalidItemError(f"{path}: truncated: its last page is missing; fetch it again")
    behind = headers.bytes_behind(path)
    if behind > promised:
        raise InvalidItemError(
            f"{path}: its header tells of {promised} bytes of sound, and {behind} more stand behind; write it again"
        )


def _extent(path: Path, file: soundfile.SoundFile, start: float, seconds: float | None) -> tuple[int, int]:
    """First sample and number of samples of a segment; raises InvalidItemError where it is none or lies outside."""
    rate, held = file.samplerate, file.frames
    if not held:
        raise InvalidItemError(f"{path}: empty: no samples; fetch it again")
    if held >= UNTOLD:
        raise InvalidItemError(f"{path}: its header tells no length; write it again: ffmpeg -i {path.name} again.flac")
    length = math.inf if seconds is None else seconds
    if not 0 <= start < math.inf or not length > 0 or seconds == math.inf:
        lasting = "" if seconds is None else f" that lasts {seconds:.9g} s"
        raise InvalidItemError(
            f"{path}: no segment starts at {start:.9g} s{lasting}; mend the dataset's list of segments"
        )
    # In seconds first: a time may be too large to be counted in samples.
    stop = held / rate if seconds is None else start + seconds
    outside = start > held / rate or stop > held / rate + 1
    first, last = (held, held) if outside else (round(start * rate), held if seconds is None else round(stop * rate))
    if first >= held or last > held + OVERHANG * rate:
        told = f"from {start:.9g} s on starts" if seconds is None else f"of {start:.9g} to {stop:.9g} s ends"
        raise InvalidItemError(
            f"{path}: its segment {told} after its {held / rate:.9g} s; fetch it again, or mend the dataset's list of "
            "segments"
        )
    return first, min(last, held) - first


def _check_content(path: Path, audio: NDArray[np.float32], subtype: str) -> None:
    """Raise InvalidItemError where samples [S] are none, not finite, silent, clipped or beyond full scale."""
    if not len(audio):
        raise InvalidItemError(f"{path}: empty: the segment has no samples; mend the dataset's list of segments")
    check_levels(path, audio, subtype)
    if float(np.abs(audio - audio.mean(dtype=np.float64)).max()) < SILENCE:
        raise InvalidItemError(f"{path}: silent: no sample exceeds {SILENCE:g} of full scale; record it again")
    share = clipped_share(audio)
    if share > CLIPPED:
        raise InvalidItemError(f"{path}: clipped: {share:.1%} of samples at full scale; record it at a lower level")


def check_levels(path: Path, audio: NDArray[np.float32], subtype: str) -> None:
    """Raise InvalidItemError where samples [S] of a libsndfile subtype are not finite or lie beyond full scale.

    They do beyond `ROUNDED`, and beyond `OVERSHOOT` where the coding is lossy: less than that may be cut.
    """
    if not np.isfinite(audio).all():
        raise InvalidItemError(f"{path}: samples that are not finite; record or convert it again")
    peak = float(np.abs(audio).max(initial=0.0))
    if peak <= (OVERSHOOT if subtype in LOSSY else ROUNDED):
        return
    if peak >= INTEGERS:
        bits = next((bits for bits in (16, 24) if peak <= 2 ** (bits - 1)), 32)
        raise InvalidItemError(
            f"{path}: samples up to {peak:.1f} of full scale: it looks like {bits}-bit integers in a float file; "
            f"divide them by {2 ** (bits - 1)}"
        )
    told = f"{peak:.1f}" if peak >= 1.1 else f"{peak:.3f}"
    raise InvalidItemError(f"{path}: samples up to {told} of full scale; scale it to lie in [-1, 1]")


@dataclass(frozen=True)
class Unusable:
    """Stands in place of a record's sound where its entry in the dataset is no use."""

    reason: str
    """What is wrong, where, and what to do, in one line."""

    def __call__(self, sample_rate: int) -> NDArray[np.float32]:
        """Raise InvalidItemError."""
        raise InvalidItemError(self.reason)


def beside(path: Path) -> Path:
    """The audio file of a path without its name's end: the first of `SUFFIXES` that is there, FLAC before WAV.

    Names' ends may be in small letters, in capitals or begin with one. That of a FLAC where none is there.
    """
    cases = [ending for suffix in SUFFIXES for ending in (suffix, suffix.upper(), suffix.title())]
    tried = [Path(f"{path}{ending}") for ending in cases]
    return next((each for each in tried if os.path.isfile(each)), tried[0])


def bare_name(path: str) -> str:
    """A file's name without folders and the end that tells its kind of sound.

    >>> bare_name("wav/ted_1.WAV"), bare_name("ted.2")
    ('ted_1', 'ted.2')
    """
    found = Path(path)
    return found.stem if found.suffix.lower() in SUFFIXES else found.name


def lying(path: Path) -> Path:
    """A path, or the audio file `beside` it that differs in its name's end alone where there is none of this path."""
    if os.path.isfile(path):
        return path
    other = beside(path.with_name(bare_name(path.name)))
    return other if os.path.isfile(other) else path


def clipped_share(audio: NDArray[np.float32]) -> float:
    """Share of samples [S] that lie in runs of at least `RUN` equal ones at full scale; beyond `ROUNDED` all are equal.

    >>> clipped_share(np.array([0.2, 1.0, 1.0, 1.0, -1.0, -1.0, 0.5, 1.001, 1.002, 1.001], dtype=np.float32))
    0.3
    """
    cut = np.clip(audio, -ROUNDED, ROUNDED)
    edges = np.flatnonzero(np.diff(cut, prepend=np.nan, append=np.nan))
    runs = np.diff(edges)
    return float(runs[(runs >= RUN) & (np.abs(cut[edges[:-1]]) >= FULL_SCALE)].sum() / len(audio))
