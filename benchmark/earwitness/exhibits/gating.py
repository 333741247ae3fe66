"""A sound without cells of its log-mel spectrogram, and those cells alone, to listen to.

A spectrogram is not sound: phases are gone, and models hear filled cells as numbers. What is made here is near to it:
the recording's own short-time Fourier transform, silenced where cells are removed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

WINDOW, HOP = 0.032, 0.008
"""Seconds of the transform's Hann window, and between windows."""
SWEEP = 8.0
"""Seconds of the tone that rises through all frequencies."""


def centres(features: Callable[[NDArray[np.float32]], NDArray[np.float32]], rate: int) -> NDArray[np.float64]:
    """Frequency [M] (Hz) that each mel bin answers to most, heard from a tone that rises evenly to half the rate.

    `features` gives the log-mel spectrogram [T, M] of audio [S] at `rate`. Whatever scales a bin by itself changes
    nothing.
    """
    time = np.arange(round(SWEEP * rate)) / rate
    tone = 0.5 * np.sin(np.pi * rate / 2 / SWEEP * time**2)
    heard = features(tone.astype(np.float32))
    at = (heard.argmax(0) + 0.5) / len(heard)
    return np.asarray(np.maximum.accumulate(at * rate / 2))


def without(
    sound: NDArray[np.floating], rate: int, gone: NDArray[np.bool_], frame_rate: float, hz: NDArray[np.float64]
) -> NDArray[np.float32]:
    """What is left of a sound [S] at `rate` (Hz) where cells `gone` [T, M] are silenced.

    Frame t covers seconds [t, t + 1) / frame_rate, bin m is at `hz[m]`; between two bins' centres the gain changes
    evenly. What is left without some cells, and without all others, add up to the sound.
    """
    from scipy.signal import ShortTimeFFT
    from scipy.signal.windows import hann

    length, hop = round(WINDOW * rate), round(HOP * rate)
    transform = ShortTimeFFT(hann(length, sym=False), hop, rate)
    spectrum = transform.stft(sound)
    frame = np.clip((transform.t(len(sound)) * frame_rate).astype(np.int64), 0, len(gone) - 1)
    left = 1.0 - gone[frame].astype(np.float64)
    gain = np.stack([np.interp(transform.f, hz, row) for row in left], axis=1)
    return np.asarray(transform.istft(spectrum * gain, k1=len(sound)), dtype=np.float32)
