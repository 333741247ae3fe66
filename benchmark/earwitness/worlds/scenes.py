"""The world of scenes: clips of two or three synthesised events, their captions, and everything true about them.

An event may be loud or quiet, high or low, early or late; never more than two sound at one moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from earwitness.worlds.events import Event, Loudness, Scene, Time, place
from earwitness.worlds.scene_captions import (
    PUBLIC,
    EventMeaning,
    Lesson,
    Lexicon,
    SceneCaption,
    SceneWord,
    teach,
    write,
)
from earwitness.worlds.sounds import LABELS, draw

VERSION = 1

Split = Literal["train", "validation", "test"]
Pitch = Literal["high", "low"]
SPLITS: tuple[Split, ...] = get_args(Split)

Ranges = Mapping[str, tuple[float, float]]
# What makes a class low or high. What is not said lies between; pitches of low and high are half as far apart again, or
# more, and stay near those of `sounds`, which codecs and judges know.
PITCHES: dict[str, dict[Pitch | None, Ranges]] = {
    "bark": {
        "low": {"pitch": (245, 275), "formant": (700, 850)},
        None: {"pitch": (310, 350), "formant": (900, 1050)},
        "high": {"pitch": (400, 440), "formant": (1150, 1300)},
    },
    "siren": {"low": {"pitch": (600, 680)}, None: {"pitch": (750, 860)}, "high": {"pitch": (960, 1060)}},
    "rain": {"low": {"low": (700, 950)}, None: {"low": (1300, 1600)}, "high": {"low": (2200, 2700)}},
    "bell": {"low": {"pitch": (345, 395)}, None: {"pitch": (460, 550)}, "high": {"pitch": (660, 750)}},
    "engine": {
        "low": {"pitch": (44, 51), "cutoff": (140, 180)},
        None: {"pitch": (60, 70), "cutoff": (200, 240)},
        "high": {"pitch": (82, 94), "cutoff": (270, 320)},
    },
    "chirp": {"low": {"pitch": (1920, 2080)}, None: {"pitch": (2250, 2500)}, "high": {"pitch": (2850, 3050)}},
    "beep": {"low": {"pitch": (690, 780)}, None: {"pitch": (920, 1080)}, "high": {"pitch": (1240, 1400)}},
    "hammer": {"low": {"pitch": (105, 125)}, None: {"pitch": (145, 170)}, "high": {"pitch": (200, 230)}},
}

_WORLD = 0x5CE4E5
"""Tells this world's draws from those of others."""
# When events sound, with the share of scenes of two and of three events.
_TIMES: dict[int, tuple[tuple[float, tuple[Time | None, ...]], ...]] = {
    2: ((0.5, ("early", "late")), (0.125, ("early", None)), (0.125, ("late", None)), (0.25, (None, None))),
    3: ((0.6, ("early", "late", None)), (0.2, ("early", "early", "late")), (0.2, ("early", "late", "late"))),
}
_THREE = 0.6
"""Share of scenes of three events."""
# Shares of events whose level and pitch are said, by the number of events: captions have about equally many words.
_LOUD, _QUIET = {2: 0.3, 3: 0.15}, 0.35
_PITCHED = {2: 0.6, 3: 0.25}


@dataclass(frozen=True)
class SceneEvent(Event):
    """One sounding event, and what is said of it."""

    loudness: Loudness | None
    """What captions say about its level; None where they say nothing."""
    pitch: Pitch | None
    """What captions say about its pitch; None where they say nothing."""
    time: Time | None
    """What captions say about its time; None where they say nothing and it sounds throughout."""

    def sounds(self, half: Time) -> bool:
        """Whether it sounds in a half of the clip."""
        return self.time in (half, None)


@dataclass(frozen=True)
class MadeScene(Scene):
    """One item of the world."""

    events: tuple[SceneEvent, ...]
    id: str
    split: Split
    caption: SceneCaption

    def interval(self, word: SceneWord) -> tuple[float, float] | None:
        """Seconds between which the word's event sounds; None where it speaks of none."""
        if word.event is None:
            return None
        event = self.events[word.event]
        return event.start, event.stop

    def heard(self, half: Time) -> frozenset[str]:
        """Classes that sound in a half of the clip."""
        return frozenset(event.label for event in self.events if event.sounds(half))

    def alone(self, event: SceneEvent) -> bool:
        """Whether nothing else sounds while the event does."""
        halves: tuple[Time, ...] = ("early", "late")
        return all(self.heard(half) == {event.label} for half in halves if event.sounds(half))


def scene(split: Split, index: int, seed: int = 0, lexicon: Lexicon = PUBLIC) -> MadeScene:
    """Item `index` of a split; other seeds, and lexicons of other keys, draw other items of the same split."""
    private = (lexicon.key,) if lexicon.key else ()
    entropy = (_WORLD, VERSION, SPLITS.index(split), index, seed, *private)
    rng = np.random.default_rng(np.random.SeedSequence(entropy))
    events = _events(rng)
    caption = write(_meanings(events), split, rng, lexicon)
    name = f"{split}-{index:05d}" + (f"-{seed}" if seed else "")
    return MadeScene(events, entropy, name, split, caption)


def solo(scene: MadeScene, number: int) -> MadeScene:
    """One event of a scene, by itself: what learners begin with."""
    noise, events = (*scene.noise, number), scene.events[number : number + 1]
    rng = np.random.default_rng(np.random.SeedSequence(noise))
    caption = write(_meanings(events), scene.split, rng)
    return MadeScene(events, noise, f"{scene.id}-solo{number}", scene.split, caption)


def captions(scene: MadeScene, n: int, rng: np.random.Generator, lexicon: Lexicon = PUBLIC) -> list[SceneCaption]:
    """Fresh captions of the same events, of the same split."""
    return [write(_meanings(scene.events), scene.split, rng, lexicon) for _ in range(n)]


def lesson(scene: MadeScene, rng: np.random.Generator, embellished: bool, lexicon: Lexicon = PUBLIC) -> Lesson:
    """A fresh caption to learn from; embellished, it says more than there is and tells which of its words do."""
    return teach(_meanings(scene.events), scene.split, rng, lexicon, embellished)


def _meanings(events: tuple[SceneEvent, ...]) -> list[EventMeaning]:
    return [EventMeaning(event.label, event.loudness, event.pitch, event.time) for event in events]


def _events(rng: np.random.Generator) -> tuple[SceneEvent, ...]:
    count = 3 if rng.random() < _THREE else 2
    labels = [LABELS[i] for i in rng.choice(len(LABELS), count, replace=False)]
    shares, patterns = zip(*_TIMES[count], strict=True)
    times = patterns[int(rng.choice(len(patterns), p=shares))]
    return tuple(
        _event(rng, label, _loudness(rng, times, number), _pitch(rng, count), times[number])
        for number, label in enumerate(labels)
    )


def _loudness(rng: np.random.Generator, times: tuple[Time | None, ...], number: int) -> Loudness | None:
    """What is said of an event's level; a quiet event is never put under another, where nobody could hear it."""
    drawn = rng.random()
    if drawn < _LOUD[len(times)]:
        return "loud"
    others = times[:number] + times[number + 1 :]
    alone = times[number] is not None and None not in others and times[number] not in others
    return "quiet" if alone and drawn < _LOUD[len(times)] + _QUIET else None


def _pitch(rng: np.random.Generator, count: int) -> Pitch | None:
    if rng.random() >= _PITCHED[count]:
        return None
    return "high" if rng.random() < 0.5 else "low"


def _event(
    rng: np.random.Generator, label: str, loudness: Loudness | None, pitch: Pitch | None, time: Time | None
) -> SceneEvent:
    start, stop, gain_db = place(rng, time, loudness)
    ranges = PITCHES[label][pitch]
    said = {name: float(rng.uniform(*ranges[name])) for name in ranges}
    return SceneEvent(label, start, stop, gain_db, {**draw(label, rng), **said}, loudness, pitch, time)
