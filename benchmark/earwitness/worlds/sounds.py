"""Synthesis of the classes of made sounds: numpy only, deterministic from the parameters and a generator of noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
"""Hz."""

Audio = NDArray[np.float64]
Parameters = Mapping[str, float]

_FADE = 160


class Synth(NamedTuple):
    """One class: the ranges that its parameters are drawn from, and its synthesis."""

    ranges: Mapping[str, tuple[float, float]]
    synthesise: Callable[[Parameters, int, np.random.Generator], Audio]


def draw(label: str, rng: np.random.Generator) -> dict[str, float]:
    """Parameters of one event of a class, uniform in its ranges."""
    return {name: float(rng.uniform(low, high)) for name, (low, high) in SOUNDS[label].ranges.items()}


def synthesise(label: str, parameters: Parameters, samples: int, rng: np.random.Generator) -> Audio:
    """Waveform [samples] of unit root mean square, faded in and out over 10 ms."""
    wave = SOUNDS[label].synthesise(parameters, samples, rng)
    ramp = np.linspace(0.0, 1.0, _FADE)
    wave[:_FADE] *= ramp
    wave[-_FADE:] *= ramp[::-1]
    return np.asarray(wave / np.sqrt(np.mean(wave**2)))


def _seconds(samples: int) -> Audio:
    return np.arange(samples) / SAMPLE_RATE


def _onsets(period: float, samples: int, rng: np.random.Generator) -> list[int]:
    """Samples at which a repeated sound starts, a tenth of a period of jitter between them."""
    count = int(np.ceil(samples / SAMPLE_RATE / period))
    times = (np.arange(count) + np.r_[0.0, rng.uniform(-0.1, 0.1, count - 1)]) * period
    return [onset for onset in (times * SAMPLE_RATE).astype(int).tolist() if onset < samples]


def _repeat(hit: Audio, period: float, samples: int, rng: np.random.Generator) -> Audio:
    """The same hit at every onset, each a little louder or softer than the last."""
    wave = np.zeros(samples + len(hit))
    for onset in _onsets(period, samples, rng):
        wave[onset : onset + len(hit)] += hit * rng.uniform(0.8, 1.0)
    return wave[:samples]


def _band(noise: Audio, low: float, high: float) -> Audio:
    """Noise between two frequencies in Hz, with slopes of 200 Hz."""
    spectrum = np.fft.rfft(noise)
    hertz = np.fft.rfftfreq(len(noise), 1 / SAMPLE_RATE)
    gain = np.clip((hertz - low) / 200 + 1, 0, 1) * np.clip((high - hertz) / 200 + 1, 0, 1)
    return np.asarray(np.fft.irfft(spectrum * gain, len(noise)))


def _harmonics(phase: Audio, weights: Audio) -> Audio:
    """Sum over h of weights[h] sin((h + 1) phase), by the recurrence of the Chebyshev polynomials."""
    before, now, twice = np.zeros_like(phase), np.sin(phase), 2 * np.cos(phase)
    total: Audio = weights[0] * now
    for weight in weights[1:]:
        before, now = now, twice * now - before
        total += weight * now
    return total


def _bark(p: Parameters, samples: int, rng: np.random.Generator) -> Audio:
    t = _seconds(int(p["length"] * SAMPLE_RATE))
    pitch = p["pitch"] * (1 + 0.5 * np.exp(-(((t / p["length"] - 0.3) / 0.25) ** 2)))
    weights = np.exp(-((((np.arange(8) + 1) * p["pitch"] - p["formant"]) / 500) ** 2)) + 0.1
    voice = _harmonics(2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE, weights)
    breath = _band(rng.standard_normal(len(t)), 400, 2500)
    return _repeat((voice + 0.5 * breath) * np.sin(np.pi * t / p["length"]) ** 0.7, p["period"], samples, rng)


def _siren(p: Parameters, samples: int, rng: np.random.Generator) -> Audio:
    sweep = np.sin(2 * np.pi * (p["rate"] * _seconds(samples) + p["phase"]))
    pitch = p["pitch"] * p["depth"] ** sweep
    return _harmonics(2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE, np.array([1.0, 0.5, 0.25]))


def _rain(p: Parameters, samples: int, rng: np.random.Generator) -> Audio:
    hiss = _band(rng.standard_normal(samples), p["low"], 7800)
    drops = np.zeros(samples)
    at = rng.integers(0, samples, int(p["drops"] * samples / SAMPLE_RATE))
    np.add.at(drops, at, rng.uniform(2, 8, len(at)))
    ring = np.exp(-np.arange(64) / 12) * np.sin(2 * np.pi * 3000 / SAMPLE_RATE * np.arange(64))
    return hiss + np.convolve(drops, ring)[:samples] * 0.3


def _bell(p: Parameters, samples: int, rng: np.random.Generator) -> Audio:
    t = _seconds(min(samples, int(0.9 * SAMPLE_RATE)))[:, None]
    ratios = np.array([1.0, 2.0, 2.41, 3.02, 4.53, 5.47])
    weights = np.array([1.0, 0.7, 0.9, 0.5, 0.4, 0.3])
    partials = np.sin(2 * np.pi * p["pitch"] * ratios * t) * np.exp(-t * (1 + 0.4 * ratios) / p["decay"])
    return _repeat(partials @ weights, p["period"], samples, rng)


def _engine(p: Parameters, samples: int, rng: np.random.Generator) -> Audio:
    t = _seconds(samples)
    pitch = p["pitch"] * (1 + 0.06 * np.sin(2 * np.pi * (p["wobble"] * t + p["phase"])))
    weights = 1 / (1 + ((np.arange(12) + 1) * p["pitch"] / p["cutoff"]) ** 2)
    rumble = _harmonics(2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE, weights)
    return rumble + 0.6 * _band(rng.standard_normal(samples), 40, 350)


def _chirp(p: Parameters, samples: int, rng: np.random.Generator) -> Audio:
    t = _seconds(int(p["length"] * SAMPLE_RATE)) / p["length"]
    pitch = p["pitch"] * (1 + p["sweep"] * (t - 0.5))
    song = _harmonics(2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE, np.array([1.0, 0.8]))
    return _repeat(song * np.sin(np.pi * t) ** 0.7, p["period"], samples, rng)


def _beep(p: Parameters, samples: int, rng: np.random.Generator) -> Audio:
    t = _seconds(samples)
    gate = np.clip((p["duty"] - t / p["period"] % 1) * 40, 0, 1) * np.clip((t / p["period"] % 1) * 40, 0, 1)
    return _harmonics(2 * np.pi * p["pitch"] * t, np.array([1.0, 0.0, 0.8, 0.0, 0.6])) * gate


def _hammer(p: Parameters, samples: int, rng: np.random.Generator) -> Audio:
    t = _seconds(int(0.15 * SAMPLE_RATE))
    knock = rng.standard_normal(len(t)) * np.exp(-t / p["decay"])
    thump = 1.5 * np.sin(2 * np.pi * p["pitch"] * t) * np.exp(-t / (2 * p["decay"]))
    return _repeat(knock + thump, p["period"], samples, rng)


SOUNDS: dict[str, Synth] = {
    "bark": Synth({"pitch": (260, 420), "formant": (700, 1300), "length": (0.1, 0.18), "period": (0.28, 0.45)}, _bark),
    "siren": Synth({"pitch": (650, 1000), "depth": (1.35, 1.7), "rate": (1.0, 2.5), "phase": (0, 1)}, _siren),
    "rain": Synth({"low": (800, 2500), "drops": (40, 200)}, _rain),
    "bell": Synth({"pitch": (350, 750), "decay": (0.4, 0.9), "period": (0.4, 0.7)}, _bell),
    "engine": Synth(
        {"pitch": (45, 90), "cutoff": (150, 300), "wobble": (1, 5), "phase": (0, 1)},
        _engine,
    ),
    "chirp": Synth(
        {"pitch": (2100, 3000), "sweep": (0.3, 0.6), "length": (0.09, 0.14), "period": (0.16, 0.24)}, _chirp
    ),
    "beep": Synth({"pitch": (700, 1400), "duty": (0.4, 0.6), "period": (0.2, 0.4)}, _beep),
    "hammer": Synth({"pitch": (110, 220), "decay": (0.012, 0.03), "period": (0.2, 0.38)}, _hammer),
}
"""The classes, by label."""

LABELS: tuple[str, ...] = tuple(SOUNDS)
