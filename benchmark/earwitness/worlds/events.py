"""What made worlds of sounds share: clips of 2 s, when and how loud events sound in them, and their rendering."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from earwitness.worlds.sounds import SAMPLE_RATE, synthesise

DURATION = 2.0
"""Seconds of a clip."""
SAMPLES = int(DURATION * SAMPLE_RATE)
HALF = DURATION / 2
"""Seconds: early events end before it, late ones begin after it."""

Loudness = Literal["loud", "quiet"]
Time = Literal["early", "late"]

# Root mean square over the event's interval in dB below full scale. What is neither loud nor quiet lies between.
LEVELS: dict[Loudness | None, tuple[float, float]] = {
    "loud": (-26.0, -23.0),
    "quiet": (-43.0, -40.0),
    None: (-36.0, -30.0),
}
# Intervals leave a margin to the middle, so that "early" and "late" share no codec frame.
STARTS: dict[Time | None, tuple[float, float]] = {"early": (0.0, 0.12), "late": (1.0, 1.12), None: (0.0, 0.12)}
STOPS: dict[Time | None, tuple[float, float]] = {"early": (0.84, 0.96), "late": (1.88, 2.0), None: (1.88, 2.0)}


@dataclass(frozen=True)
class Event:
    """One sounding event."""

    label: str
    start: float
    """Seconds."""
    stop: float
    """Seconds."""
    gain_db: float
    """Root mean square over the interval, in dB re full scale."""
    parameters: dict[str, float]
    """What it is synthesised from."""


@dataclass(frozen=True)
class Scene:
    """What sounds in a clip."""

    events: tuple[Event, ...]
    noise: tuple[int, ...]
    """Entropy of the noise in the sounds."""

    @property
    def labels(self) -> frozenset[str]:
        """Classes that sound."""
        return frozenset(event.label for event in self.events)


class SceneSound(NamedTuple):
    """The sound of a scene."""

    audio: NDArray[np.float32]
    """[S], the sum of the stems."""
    stems: NDArray[np.float32]
    """[E, S], one for each event."""


def place(rng: np.random.Generator, time: Time | None, loudness: Loudness | None) -> tuple[float, float, float]:
    """Start and stop in seconds and level in dB re full scale of an event, drawn; None is neither."""
    start, stop, gain_db = (float(rng.uniform(*span)) for span in (STARTS[time], STOPS[time], LEVELS[loudness]))
    return start, stop, gain_db


def render(scene: Scene) -> SceneSound:
    """Audio and stems of a scene, bit for bit the same each time."""
    stems = np.zeros((len(scene.events), SAMPLES), dtype=np.float32)
    for number, event in enumerate(scene.events):
        rng = np.random.default_rng(np.random.SeedSequence((*scene.noise, number)))
        start, stop = int(event.start * SAMPLE_RATE), int(event.stop * SAMPLE_RATE)
        wave = synthesise(event.label, event.parameters, stop - start, rng)
        stems[number, start:stop] = wave * 10 ** (event.gain_db / 20)
    return SceneSound(audio=stems.sum(0), stems=stems)
