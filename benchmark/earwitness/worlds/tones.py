"""The tones world: notes and phrases of three notes whose pitch, loudness, brightness and attack are drawn.

The four are independent of each other. They lie where the micro codec, which learnt other sounds, can render them:
notes whose partials its spectrum of 31 Hz resolves, with a strong fundamental, and none above 5 kHz. In the correlated
variant, loudness and brightness of the training clips move together, and those of the others do not: a probe that reads
one for the other is found out. The marginal distributions are the same in all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from earwitness.errors import EarwitnessError

VERSION = 2
SAMPLE_RATE = 16_000
"""Hz."""
SAMPLES = 20_480
"""Samples of a clip: 32 code frames of 640."""
DURATION = SAMPLES / SAMPLE_RATE
"""Seconds of a clip."""

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

PITCHES = (60, 77)
"""Lowest and highest MIDI number of a clip; its phrase reaches three semitones further."""
LOUDNESSES = (-46.0, -16.0)
"""Root mean square of a clip in dB below full scale."""
BRIGHTNESSES = (0.35, 1.45)
"""Spectral centroid in octaves above 1 kHz: all above the highest note, so that any note can have any."""
ATTACKS = (-1.6, -0.7)
"""Base 10 logarithm of the seconds in which the envelope rises from a tenth to nine tenths: 25 to 200 ms."""
FACTORS = ("pitch", "loudness", "brightness", "attack")
MOVE_TOGETHER = ("loudness", "brightness")
"""Factors that are correlated in the training clips of the correlated variant."""
CORRELATION = 0.9
"""Their rank correlation there."""
PHRASES = 0.5
"""Share of clips that are phrases."""
LATEST = 0.06
"""Seconds by which the first note may start late."""
RELEASE = 0.04
"""Seconds in which a note fades."""
RISE = 0.8
"""Share of a linear rise that lies between a tenth and nine tenths of it."""
HIGHEST_PARTIAL = 5_000.0
"""Hz."""
RESONANCE = 900.0
"""Deviation in Hz of the resonance that partials are heard through."""
CENTRES = (0.0, 5_000.0)
"""Hz between which the centre of the resonance that gives a centroid is searched."""
SOURCE = 0.8
"""Amplitude of the fundamental without the resonance, whose own is 1."""


@dataclass(frozen=True)
class Tone:
    """One clip of the world."""

    id: str
    split: Split
    pitch: int
    """MIDI number of the note, or of the middle one of a phrase."""
    loudness: float
    """dB below full scale, over the clip."""
    brightness: float
    """Octaves above 1 kHz."""
    attack: float
    """Base 10 logarithm of seconds, the same for each note of a phrase."""
    steps: tuple[int, ...]
    """Semitones of each note from `pitch`, in the order that they are played in."""
    start: float
    """Seconds."""
    phases: tuple[float, ...]
    """Phase of each partial in turns, the same for each note."""

    @property
    def factors(self) -> dict[str, float]:
        """Value of each of `FACTORS`."""
        return {name: float(getattr(self, name)) for name in FACTORS}


def tone(split: Split, index: int, seed: int = 0, correlated: bool = False) -> Tone:
    """Clip `index` of a split; other seeds draw other clips of the same split.

    A correlated clip differs from its independent twin in its brightness alone, and only in the train split. Raises
    EarwitnessError where there is no such split.
    """
    if split not in SPLITS:
        raise EarwitnessError(f"the tones world has no split {split!r}; splits: {', '.join(SPLITS)}")
    rng = np.random.default_rng(np.random.SeedSequence((VERSION, SPLITS.index(split), index, seed)))
    loudness, brightness = _pair(rng, CORRELATION if correlated and split == "train" else 0.0)
    step = int(rng.integers(1, 4))
    steps = rng.permutation([-step, 0, step]).tolist() if rng.random() < PHRASES else [0]
    together = correlated and split == "train"
    return Tone(
        id=f"{split}-{index:05d}" + (f"-{seed}" if seed else "") + ("-correlated" if together else ""),
        split=split,
        pitch=int(rng.integers(PITCHES[0], PITCHES[1] + 1)),
        loudness=_between(LOUDNESSES, loudness),
        brightness=_between(BRIGHTNESSES, brightness),
        attack=_between(ATTACKS, float(rng.random())),
        steps=tuple(steps),
        start=float(rng.uniform(0, LATEST)),
        phases=tuple(rng.random(_partials(PITCHES[0] - 3)).tolist()),
    )


def render(made: Tone) -> NDArray[np.float32]:
    """Audio [S] of a clip, bit for bit the same each time."""
    wave = np.zeros(SAMPLES)
    edges = np.linspace(made.start * SAMPLE_RATE, SAMPLES, len(made.steps) + 1).round().astype(int)
    for step, first, last in zip(made.steps, edges, edges[1:], strict=False):
        wave[first:last] = _note(made, made.pitch + step, int(last - first))
    level = np.sqrt(np.square(wave).mean())
    return np.asarray(wave * (10 ** (made.loudness / 20) / level), dtype=np.float32)


def frequency(pitch: float) -> float:
    """Hz of a MIDI number.

    >>> frequency(69)
    440.0
    """
    return float(440 * 2 ** ((pitch - 69) / 12))


def partials(pitch: int, brightness: float) -> NDArray[np.float64]:
    """Amplitudes [H] of the partials of a note, whose mean frequency they weigh is the brightness.

    They fall with the square of the partial's number, so that the fundamental stays strong, and a resonance is added,
    whose centre is searched by bisection.
    """
    numbers = np.arange(1.0, _partials(pitch) + 1)
    frequencies = frequency(pitch) * numbers
    wanted = 1000 * 2**brightness
    low, high = CENTRES
    for _ in range(50):
        middle = (low + high) / 2
        amplitudes = SOURCE * numbers**-2 + np.exp(-0.5 * ((frequencies - middle) / RESONANCE) ** 2)
        if (frequencies * amplitudes).sum() < wanted * amplitudes.sum():
            low = middle
        else:
            high = middle
    return np.asarray(amplitudes)


def _partials(pitch: int) -> int:
    return int(HIGHEST_PARTIAL / frequency(pitch))


def _pair(rng: np.random.Generator, correlation: float) -> tuple[float, float]:
    """Two draws, uniform in [0, 1], of a rank correlation: normal ones whose correlation gives it (Pearson 1907)."""
    normal = 2 * np.sin(np.pi / 6 * correlation)
    one, other = rng.standard_normal(2)
    return float(ndtr(one)), float(ndtr(normal * one + np.sqrt(1 - normal**2) * other))


def _between(span: tuple[float, float], share: float) -> float:
    return span[0] + (span[1] - span[0]) * share


def _note(made: Tone, pitch: int, samples: int) -> NDArray[np.float64]:
    """Sum of the partials under the envelope, [samples], of any level."""
    amplitudes = partials(pitch, made.brightness)
    weights = amplitudes * np.exp(2j * np.pi * np.array(made.phases[: len(amplitudes)]))
    turns = np.exp(2j * np.pi * frequency(pitch) / SAMPLE_RATE * np.arange(samples))
    # The sum over partials is a polynomial in the fundamental's phasor: far quicker than a sine for each.
    wave = np.polyval(np.append(weights[::-1], 0), turns).imag / np.sqrt(np.square(amplitudes).sum())
    rise = 10**made.attack / RISE * SAMPLE_RATE
    at = np.arange(samples)
    envelope = np.minimum(at / rise, (samples - at) / (RELEASE * SAMPLE_RATE)).clip(0, 1)
    return np.asarray(wave * envelope)
