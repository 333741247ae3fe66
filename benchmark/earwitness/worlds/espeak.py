"""espeak-ng through its C interface: text to audio, with the times of its words and phonemes."""

from __future__ import annotations

import _ctypes
import ctypes
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import soxr
from numpy.typing import NDArray

from earwitness.datasets import Stretch
from earwitness.errors import EarwitnessError
from earwitness.extras import not_installed

SAMPLE_RATE = 16_000
"""Hz, of what `speak` returns."""

# Names and values of espeak-ng's speak_lib.h.
_SYNCHRONOUS, _OK = 2, 0
_PHONEME_EVENTS, _PHONEME_IPA, _DONT_EXIT = 1 << 0, 1 << 1, 1 << 15
_CHARS_UTF8 = 1
_RATE, _PITCH = 1, 3
_LIST_TERMINATED, _WORD, _PHONEME = 0, 1, 7
_STRESS = "ˈˌ"
_RANDOM_SEED = 1


class _Id(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Voice:
    """How a text is spoken."""

    name: str
    """Of espeak-ng: an accent and a variant, as in `gmw/en-US+f3`."""
    rate: int = 170
    """Words per minute, 80 to 450."""
    pitch: int = 50
    """0 to 99; 50 is the voice's own."""


class Spoken(NamedTuple):
    """What espeak-ng made of a text."""

    audio: NDArray[np.float32]
    """[S] mono at `SAMPLE_RATE`, in [-1, 1]."""
    words: tuple[Stretch, ...]
    """The words of the text."""
    phonemes: tuple[tuple[Stretch, ...], ...]
    """Phonemes of each word, in IPA without stress marks; what sounds as one, as in `ɔːl`, is one."""


class _Mark(NamedTuple):
    """The start of a word, a phoneme or a pause."""

    type: int
    sample: int
    text: str
    """IPA of a phoneme; empty for a pause."""


def speak(text: str, voice: Voice) -> Spoken:
    """The audio of a text, whose words are separated by spaces, and when its words and phonemes are said.

    The same text and voice give the same samples, whatever was spoken before. Raises EarwitnessError where espeak-ng
    is missing, has no such voice or joins words of the text.
    """
    with _one_at_a_time, _library() as (library, native_rate):
        samples, marks = _synthesise(library, text, voice)
    audio = soxr.resample(samples.astype(np.float32) / 2**15, native_rate, SAMPLE_RATE)
    words, phonemes = _stretches(text.split(), marks, native_rate)
    return Spoken(np.asarray(audio, dtype=np.float32), words, phonemes)


@contextmanager
def _library() -> Iterator[tuple[ctypes.CDLL, int]]:
    """The library, loaded afresh, and its sample rate in Hz.

    Phase, noise and flutter live in static variables that even a terminated library keeps: only another loading makes
    an utterance independent of those before.
    """
    try:
        import espeakng_loader
    except ImportError as error:
        raise not_installed("espeakng-loader", "worlds") from error
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    try:
        data = espeakng_loader.get_data_path()
        options = _PHONEME_EVENTS | _PHONEME_IPA | _DONT_EXIT
        native_rate = int(library.espeak_Initialize(_SYNCHRONOUS, 0, data.encode(), options))
        if native_rate <= 0:
            raise EarwitnessError(f"espeak-ng cannot read {data}: install espeakng-loader in a shorter path")
        library.espeak_ng_SetRandSeed(ctypes.c_long(_RANDOM_SEED))
        yield library, native_rate
        library.espeak_Terminate()
    finally:
        _ctypes.dlclose(library._handle)


def _synthesise(library: ctypes.CDLL, text: str, voice: Voice) -> tuple[NDArray[np.int16], list[_Mark]]:
    if library.espeak_SetVoiceByName(voice.name.encode()) != _OK:
        raise EarwitnessError(f"espeak-ng has no voice {voice.name!r}")
    library.espeak_SetParameter(_RATE, voice.rate, 0)
    library.espeak_SetParameter(_PITCH, voice.pitch, 0)
    chunks: list[NDArray[np.int16]] = []
    marks: list[_Mark] = []
    callback = _Callback(_collector(chunks, marks))
    library.espeak_SetSynthCallback(callback)
    encoded = text.encode()
    size, start, stop = ctypes.c_size_t(len(encoded) + 1), ctypes.c_uint(0), ctypes.c_uint(0)
    status = library.espeak_Synth(encoded, size, start, 1, stop, ctypes.c_uint(_CHARS_UTF8), None, None)
    if status != _OK or not chunks:
        raise EarwitnessError(f"espeak-ng could not speak {text!r} with the voice {voice.name}")
    return np.concatenate(chunks), marks


def _collector(chunks: list[NDArray[np.int16]], marks: list[_Mark]) -> Callable[..., int]:
    def collect(wave: ctypes._Pointer[ctypes.c_short], count: int, events: ctypes._Pointer[_Event]) -> int:
        if count > 0:
            chunks.append(np.ctypeslib.as_array(wave, (count,)).astype(np.int16))
        index = 0
        while events[index].type != _LIST_TERMINATED:
            event = events[index]
            # An id of eight bytes may end within a character.
            ipa = event.id.string.decode("utf-8", "ignore") if event.type == _PHONEME else ""
            if event.type in (_WORD, _PHONEME):
                marks.append(_Mark(event.type, event.sample, ipa.strip(_STRESS)))
            index += 1
        return 0

    return collect


def _stretches(
    texts: list[str], marks: list[_Mark], rate: int
) -> tuple[tuple[Stretch, ...], tuple[tuple[Stretch, ...], ...]]:
    """Words, and phonemes of each, from the marks of an utterance; each phoneme ends where the next mark stands."""
    said: list[list[Stretch]] = []
    # espeak-ng ends every clause with the mark of a pause, so that the last phoneme has a next mark.
    for mark, after in pairwise(marks):
        if mark.type == _WORD:
            said.append([])
        elif mark.text and said and after.sample > mark.sample:
            said[-1].append(Stretch(mark.text, mark.sample / rate, after.sample / rate))
        elif mark.text and said and said[-1]:
            # The last l, r or n of a word may sound as the end of its vowel, and is marked when both are over.
            vowel = said[-1].pop()
            said[-1].append(Stretch(vowel.text + mark.text, vowel.start, vowel.stop))
    if len(said) != len(texts) or not all(said):
        raise EarwitnessError(f"espeak-ng does not speak each word of {' '.join(texts)!r} on its own")
    words = (Stretch(text, own[0].start, own[-1].stop) for text, own in zip(texts, said, strict=True))
    return tuple(words), tuple(tuple(own) for own in said)
