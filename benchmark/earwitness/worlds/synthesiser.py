"""General MIDI instruments, played note by note through tinysoundfont with the soundfont that pretty_midi ships."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earwitness.errors import EarwitnessError

SAMPLE_RATE = 16_000
"""Hz."""
SOUNDFONT = "TimGM6mb.sf2"
FADE = SAMPLE_RATE // 4
"""Samples after which what was turned off is silent."""
HOW = "pip install 'earwitness[worlds]' && pip install --no-deps tinysoundfont"


@dataclass(frozen=True)
class Note:
    """A note of an instrument."""

    key: int
    """MIDI key, 60 being middle C."""
    velocity: int
    """1 to 127."""
    start: float
    """Seconds."""
    stop: float
    """Seconds; when the key is let go."""


@dataclass(frozen=True)
class Program:
    """A General MIDI program."""

    program: int
    """0 to 127."""
    percussion: bool = False
    """Whether keys are the drums of the percussion channel."""


def play(voice: Program, notes: Sequence[Note], samples: int) -> NDArray[np.float32]:
    """Mono audio [samples] at 16 kHz of notes, bit for bit the same each time.

    Raises EarwitnessError where the synthesiser or its soundfont is not installed.
    """
    synth, font = _synthesiser()
    synth.program_select(0, font, 128 if voice.percussion else 0, voice.program, voice.percussion)
    # Keys are let go before others are struck at the same sample.
    events = sorted(
        [(int(note.stop * SAMPLE_RATE), 0, note.key, 0) for note in notes]
        + [(int(note.start * SAMPLE_RATE), 1, note.key, note.velocity) for note in notes]
    )
    wave = np.zeros(samples, dtype=np.float32)
    at = 0
    for when, struck, key, velocity in [*events, (samples, 0, 0, 0)]:
        until = min(when, samples)
        if until > at:
            stereo = np.frombuffer(bytes(synth.generate(until - at)), dtype=np.float32).reshape(-1, 2)
            wave[at:until] = stereo.mean(1)
            at = until
        if at == samples:
            break
        if struck:
            synth.noteon(0, key, velocity)
        else:
            synth.noteoff(0, key)
    synth.sounds_off()
    # What is turned off still fades for some milliseconds, which the next clip must not hear.
    synth.generate(FADE)
    return wave


@functools.lru_cache(maxsize=1)
def _synthesiser() -> tuple[Any, int]:
    """The synthesiser of this process, and the number of its soundfont."""
    try:
        import tinysoundfont
    except ImportError as error:
        raise EarwitnessError(f"rendering the stems world needs tinysoundfont: {HOW}") from error
    # Looked up, not imported: pretty_midi imports more than its soundfont needs.
    found = find_spec("pretty_midi")
    path = Path(found.origin).parent / SOUNDFONT if found is not None and found.origin else None
    if path is None or not path.is_file():
        raise EarwitnessError(f"rendering the stems world needs the soundfont {SOUNDFONT} of pretty_midi: {HOW}")
    synth = tinysoundfont.Synth(samplerate=SAMPLE_RATE)
    return synth, synth.sfload(str(path))
