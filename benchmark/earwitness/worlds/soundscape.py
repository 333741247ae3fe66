"""The soundscape: clips of one or two synthesised events, which the shipped codec was trained on.

It was a world of captions, too; of those nothing is left but that an event may be loud or quiet, early or late.
"""

from __future__ import annotations

import numpy as np

from earwitness.worlds.events import Event, Loudness, Scene, Time, place
from earwitness.worlds.sounds import LABELS, draw

VERSION = 1


def scene(index: int) -> Scene:
    """Clip `index`; it depends on its number alone."""
    # Of a world that had more of them: the version, the split to train on, the seed, and that events may be in time.
    entropy = (VERSION, 0, index, 0, 1)
    rng = np.random.default_rng(np.random.SeedSequence(entropy))
    count = int(rng.integers(1, 3))
    labels = [LABELS[i] for i in rng.choice(len(LABELS), count, replace=False)]
    times = _times(rng, count)
    loudness = _loudness(rng, count, overlapping=times == [None, None])
    events = (_event(rng, *drawn) for drawn in zip(labels, times, loudness, strict=True))
    return Scene(tuple(events), entropy)


def _times(rng: np.random.Generator, count: int) -> list[Time | None]:
    """The half that each event sounds in; None throughout. Two events never share one."""
    if rng.random() < 0.45:
        return [None] * count
    both: list[Time | None] = ["early", "late"] if rng.random() < 0.5 else ["late", "early"]
    return both[:count]


def _loudness(rng: np.random.Generator, count: int, overlapping: bool) -> list[Loudness | None]:
    """Each event's loudness; a quiet event is never put under a loud one, where nobody could hear it."""
    options: tuple[Loudness | None, ...] = ("loud", "quiet", None)
    while True:
        drawn = [options[rng.choice(3, p=(0.3, 0.3, 0.4))] for _ in range(count)]
        if not (overlapping and {"loud", "quiet"} <= set(drawn)):
            return drawn


def _event(rng: np.random.Generator, label: str, time: Time | None, loudness: Loudness | None) -> Event:
    start, stop, gain_db = place(rng, time, loudness)
    return Event(label, start, stop, gain_db, draw(label, rng))
