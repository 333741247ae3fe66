"""The world of scenes as a dataset: captions of made sounds with the truth of every word."""

from __future__ import annotations

from itertools import count, islice
from typing import TYPE_CHECKING

from earwitness.datasets import PromptRecord, PromptTruth
from earwitness.datasets.subset import Items, Seed, validated
from earwitness.errors import EarwitnessError
from earwitness.worlds.scene_captions import CaptionWord, Role
from earwitness.worlds.scenes import DURATION, HALF, SPLITS, Scene, Time, scene
from earwitness.worlds.scenes import VERSION as VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from earwitness.worlds.scenes import Split

MADE = True
SECONDS: dict[Time, tuple[float, float]] = {"early": (0.0, HALF), "late": (HALF, DURATION)}


@validated
def load(
    source: str = "", *, split: str = "test", items: Items, seed: Seed = 0, timed: bool = False
) -> list[PromptRecord]:
    """The first `items` scenes of a split of the world; another seed draws other scenes of the same split.

    With `timed`, those scenes that sound in both halves and say of an event that it is early or late: each record asks
    for the half of one such event, and its classes are those that sound there. Scenes of one caption are a cluster:
    models hear the caption alone. Raises EarwitnessError where there is no such split.
    """
    for known in SPLITS:
        if known == split:
            return list(islice(_timed(known, seed) if timed else _whole(known, seed), items))
    raise EarwitnessError(f"the world of scenes has no split {split!r}; splits: {', '.join(SPLITS)}")


def _whole(split: Split, seed: int) -> Iterator[PromptRecord]:
    for index in count():
        made = scene(split, index, seed)
        yield _record(made, made.id, tuple(event.label for event in made.events))


def _timed(split: Split, seed: int) -> Iterator[PromptRecord]:
    for index in count():
        made = scene(split, index, seed)
        halves = [event.time for event in made.events if event.time is not None]
        if halves and made.heard("early") and made.heard("late"):
            half = halves[index % len(halves)]
            labels = tuple(event.label for event in made.events if event.sounds(half))
            yield _record(made, f"{made.id}-{half}", labels, SECONDS[half])


def _record(made: Scene, name: str, labels: tuple[str, ...], asked: tuple[float, float] | None = None) -> PromptRecord:
    words, text = made.caption.words, made.caption.text
    truth = PromptTruth(
        roles=tuple(str(word.role) for word in words),
        intervals=tuple(_interval(made, word) for word in words),
        labels=labels,
    )
    return PromptRecord(id=name, prompt=text, cluster=text, truth=truth, asked=asked)


def _interval(made: Scene, word: CaptionWord) -> tuple[float, float] | None:
    """Seconds in which a word acts: those of its event; throughout, for a negator, which keeps a sound out."""
    return (0.0, DURATION) if word.role == Role.negator else made.interval(word)
