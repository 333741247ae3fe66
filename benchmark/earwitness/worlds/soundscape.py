"""The soundscape world: clips of one or two synthesised events, their captions, and everything true about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from earwitness.worlds.captions import Caption, CaptionWord, Meaning, write
from earwitness.worlds.sounds import LABELS, SAMPLE_RATE, draw, synthesise

VERSION = 1
DURATION = 2.0
"""Seconds of a clip."""
SAMPLES = int(DURATION * SAMPLE_RATE)

Split = Literal["train", "validation", "test"]
Loudness = Literal["loud", "quiet"]
Order = Literal["early", "late"]
SPLITS: tuple[Split, ...] = get_args(Split)

# Root mean square over the event's interval in dB below full scale. What is not said lies between what is said.
LEVELS: dict[Loudness | None, tuple[float, float]] = {
    "loud": (-26.0, -23.0),
    "quiet": (-43.0, -40.0),
    None: (-36.0, -30.0),
}
# Intervals leave a margin to the middle, so that "early" and "late" share no codec frame.
STARTS: dict[Order | None, tuple[float, float]] = {"early": (0.0, 0.12), "late": (1.0, 1.12), None: (0.0, 0.12)}
STOPS: dict[Order | None, tuple[float, float]] = {"early": (0.84, 0.96), "late": (1.88, 2.0), None: (1.88, 2.0)}


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
    loudness: Loudness | None
    """What captions say about its level; None where they say nothing."""
    order: Order | None
    """What captions say about its time; None where they say nothing and it sounds throughout."""
    parameters: dict[str, float]


@dataclass(frozen=True)
class Scene:
    """One item of the world."""

    id: str
    split: Split
    events: tuple[Event, ...]
    caption: Caption
    noise: tuple[int, ...]
    """Entropy of the noise in the sounds."""

    def interval(self, word: CaptionWord) -> tuple[float, float] | None:
        """Seconds between which the word's event sounds; None for fillers."""
        if word.event is None:
            return None
        event = self.events[word.event]
        return event.start, event.stop

    @property
    def labels(self) -> frozenset[str]:
        """Classes that sound."""
        return frozenset(event.label for event in self.events)


class RenderedScene(NamedTuple):
    """The sound of a scene."""

    audio: NDArray[np.float32]
    """[S], the sum of the stems."""
    stems: NDArray[np.float32]
    """[E, S], one for each event."""


def scene(split: Split, index: int, seed: int = 0, order: bool = False) -> Scene:
    """Item `index` of a split; other seeds draw other items of the same split.

    With `order`, half of the items say early or late of their events; without, every event sounds throughout.
    """
    entropy = (VERSION, SPLITS.index(split), index, seed, int(order))
    rng = np.random.default_rng(np.random.SeedSequence(entropy))
    events = _events(rng, order)
    caption = write(_meanings(events), split, rng)
    name = f"{split}-{index:05d}" + (f"-{seed}" if seed else "") + ("-order" if order else "")
    return Scene(id=name, split=split, events=events, caption=caption, noise=entropy)


def captions(scene: Scene, n: int, rng: np.random.Generator) -> list[Caption]:
    """Fresh captions of the same events, of the same split."""
    meanings = _meanings(scene.events)
    return [write(meanings, scene.split, rng) for _ in range(n)]


def render(scene: Scene) -> RenderedScene:
    """Audio and stems of a scene, bit for bit the same each time."""
    stems = np.zeros((len(scene.events), SAMPLES), dtype=np.float32)
    for number, event in enumerate(scene.events):
        rng = np.random.default_rng(np.random.SeedSequence((*scene.noise, number)))
        start, stop = int(event.start * SAMPLE_RATE), int(event.stop * SAMPLE_RATE)
        wave = synthesise(event.label, event.parameters, stop - start, rng)
        stems[number, start:stop] = wave * 10 ** (event.gain_db / 20)
    return RenderedScene(audio=stems.sum(0), stems=stems)


def _meanings(events: tuple[Event, ...]) -> list[Meaning]:
    return [Meaning(event.label, event.loudness, event.order) for event in events]


def _events(rng: np.random.Generator, order: bool) -> tuple[Event, ...]:
    count = int(rng.integers(1, 3))
    labels = [LABELS[i] for i in rng.choice(len(LABELS), count, replace=False)]
    orders = _orders(rng, count) if order else [None] * count
    loudness = _loudness(rng, overlapping=count == 2 and orders[0] is None, count=count)
    return tuple(_event(rng, *meaning) for meaning in zip(labels, loudness, orders, strict=True))


def _orders(rng: np.random.Generator, count: int) -> list[Order | None]:
    if rng.random() < 0.45:
        return [None] * count
    both: list[Order | None] = ["early", "late"] if rng.random() < 0.5 else ["late", "early"]
    return both[:count]


def _loudness(rng: np.random.Generator, overlapping: bool, count: int) -> list[Loudness | None]:
    """What is said of each event's level; a quiet event is never put under a loud one, where nobody could hear it."""
    options: tuple[Loudness | None, ...] = ("loud", "quiet", None)
    while True:
        drawn = [options[rng.choice(3, p=(0.3, 0.3, 0.4))] for _ in range(count)]
        if not (overlapping and {"loud", "quiet"} <= set(drawn)):
            return drawn


def _event(rng: np.random.Generator, label: str, loudness: Loudness | None, order: Order | None) -> Event:
    return Event(
        label=label,
        start=float(rng.uniform(*STARTS[order])),
        stop=float(rng.uniform(*STOPS[order])),
        gain_db=float(rng.uniform(*LEVELS[loudness])),
        loudness=loudness,
        order=order,
        parameters=draw(label, rng),
    )
