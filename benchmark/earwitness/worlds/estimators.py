"""Estimators of a sound's factors from the sound alone: they know nothing of how it was made.

Each takes mono audio [S] in [-1, 1] and its sample rate in Hz and returns one number, in the units of the tones world.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np

from earwitness.extras import not_installed

if TYPE_CHECKING:
    from numpy.typing import NDArray

Estimator = Callable[["NDArray[np.float32]", int], float]

LOWEST, HIGHEST = 36, 88
"""MIDI numbers between which a pitch is searched."""
PERIODS = 4
"""Periods of the lowest pitch that a frame of pYIN holds at least."""
RESOLUTION = 0.2
"""Semitones to which pYIN rounds a pitch."""
THRESHOLDS = (2, 6)
"""Shape of the beta distribution of pYIN's thresholds, of mean a quarter: sound that a codec has roughened is voiced,
and noise is not."""
QUIETEST = 1e-6
"""Root mean square, full scale 1, under which loudness is not told further apart: -120 dB."""
SPECTRUM = 0.064
"""Seconds of a spectrum's window, at most."""
SMOOTHING = 0.02
"""Seconds over which the envelope is smoothed: two periods of 100 Hz."""


def pitch(audio: NDArray[np.float32], sample_rate: int) -> float:
    """Median pitch of voiced frames as a MIDI number, by pYIN (Mauch and Dixon 2014); NaN where no frame is voiced."""
    try:
        import librosa
    except ImportError as error:
        raise not_installed("librosa", "notes") from error

    lowest, highest = (440 * 2 ** ((number - 69) / 12) for number in (LOWEST, HIGHEST))
    length = int(2 ** np.ceil(np.log2(PERIODS * sample_rate / lowest)))
    found, voiced, _ = librosa.pyin(
        np.asarray(audio, dtype=np.float32),
        fmin=lowest,
        fmax=highest,
        sr=sample_rate,
        frame_length=length,
        hop_length=length // 2,
        resolution=RESOLUTION,
        beta_parameters=THRESHOLDS,
    )
    return float(69 + 12 * np.log2(np.median(found[voiced]) / 440)) if voiced.any() else float("nan")


def loudness(audio: NDArray[np.float32], sample_rate: int) -> float:
    """Root mean square over the clip in dB below full scale, -120 where it is silent.

    >>> loudness(np.full(100, 0.1, dtype=np.float32), 16_000)
    -20.0
    """
    level = np.sqrt(np.square(audio, dtype=np.float64).mean())
    return round(float(20 * np.log10(max(level, QUIETEST))), 6)


def brightness(audio: NDArray[np.float32], sample_rate: int) -> float:
    """Centroid of the magnitude spectrum, summed over time, in octaves above 1 kHz; NaN where it is silent.

    Louder moments weigh more, so that pauses do not count.
    """
    length = min(int(2 ** np.floor(np.log2(SPECTRUM * sample_rate))), len(audio))
    frames = np.lib.stride_tricks.sliding_window_view(np.asarray(audio, dtype=np.float64), length)[:: length // 4 or 1]
    magnitude = np.abs(np.fft.rfft(frames * np.hanning(length))).sum(0)
    if not magnitude.sum() > 0:
        return float("nan")
    frequencies = np.fft.rfftfreq(length, 1 / sample_rate)
    return float(np.log2((frequencies * magnitude).sum() / magnitude.sum() / 1000))


def attack(audio: NDArray[np.float32], sample_rate: int) -> float:
    """Base 10 logarithm of the seconds in which the envelope first rises from a tenth to nine tenths; NaN in silence.

    The log-attack-time of Peeters et al. 2011 (The Timbre Toolbox) with fixed thresholds. They are shares of the level
    that the envelope exceeds for a tenth of the time, so that a single peak does not set them.
    """
    window = np.hanning(max(3, round(SMOOTHING * sample_rate)) + 2)[1:-1]
    power = np.convolve(np.square(audio, dtype=np.float64), window / window.sum(), mode="same")
    envelope = np.sqrt(power.clip(0))
    level = float(np.quantile(envelope, 0.9))
    if not level > QUIETEST:
        return float("nan")
    top = int(np.argmax(envelope >= 0.9 * level))
    below = np.flatnonzero(envelope[: top + 1] < 0.1 * level)
    bottom = int(below[-1]) if len(below) else 0
    return float(np.log10(max(top - bottom, 1) / sample_rate))


ESTIMATORS: dict[str, Estimator] = {
    "pitch": pitch,
    "loudness": loudness,
    "brightness": brightness,
    "attack": attack,
}
"""The estimator of each factor."""


def estimate(
    audio: NDArray[np.float32], sample_rate: int, factors: Iterable[str] = tuple(ESTIMATORS)
) -> dict[str, float]:
    """Estimated value of each of the named factors in audio [S]; NaN where it has none."""
    return {name: ESTIMATORS[name](audio, sample_rate) for name in factors}
