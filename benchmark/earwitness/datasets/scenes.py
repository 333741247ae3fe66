"""The world of scenes as a dataset: captions of made sounds with the truth of every word."""

from __future__ import annotations

from itertools import count, islice
from typing import TYPE_CHECKING

from earwitness.datasets import PromptRecord, PromptTruth
from earwitness.datasets.subset import Items, Seed, validated
from earwitness.errors import EarwitnessError
from earwitness.private import seed_of
from earwitness.worlds.events import DURATION, HALF, Time
from earwitness.worlds.scene_captions import PUBLIC, Lexicon, SceneRole, SceneWord
from earwitness.worlds.scene_captions import private as drawn_by
from earwitness.worlds.scenes import SPLITS, MadeScene, scene
from earwitness.worlds.scenes import VERSION as VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from earwitness.worlds.scenes import Split

MADE = True
SECONDS: dict[Time, tuple[float, float]] = {"early": (0.0, HALF), "late": (HALF, DURATION)}
THROUGHOUT = (SceneRole.negator, SceneRole.time)
"""Roles of words that act on all of a clip."""


@validated
def load(
    source: str = "",
    *,
    split: str = "test",
    items: Items,
    seed: Seed = 0,
    timed: bool = False,
    private: str = "",
) -> list[PromptRecord]:
    """The first `items` scenes of a split of the world; another seed draws other scenes of the same split.

    With `timed`, those scenes that sound in both halves and say of an event that it is early or late: each record asks
    for the half of one such event, and its classes are those that sound there. `private` is the fingerprint of a secret
    (`earwitness.private`) by which the words mean something else. Scenes of one caption are a cluster: models hear the
    caption alone. Raises EarwitnessError where there is no such split, or the secret is missing or another one.
    """
    lexicon = lexicon_of(private)
    for known in SPLITS:
        if known == split:
            return list(islice(_timed(known, seed, lexicon) if timed else _whole(known, seed, lexicon), items))
    raise EarwitnessError(f"the world of scenes has no split {split!r}; splits: {', '.join(SPLITS)}")


def lexicon_of(private: str) -> Lexicon:
    """The lexicon of a card: the published one, or that of the secret which the fingerprint `private` is of.

    Raises EarwitnessError where the secret is missing or another one.
    """
    return drawn_by(seed_of(private)) if private else PUBLIC


def _whole(split: Split, seed: int, lexicon: Lexicon) -> Iterator[PromptRecord]:
    for index in count():
        made = scene(split, index, seed, lexicon)
        yield _record(made, made.id, tuple(event.label for event in made.events))


def _timed(split: Split, seed: int, lexicon: Lexicon) -> Iterator[PromptRecord]:
    for index in count():
        made = scene(split, index, seed, lexicon)
        halves = [event.time for event in made.events if event.time is not None]
        if halves and made.heard("early") and made.heard("late"):
            half = halves[index % len(halves)]
            labels = tuple(event.label for event in made.events if event.sounds(half))
            yield _record(made, f"{made.id}-{half}", labels, SECONDS[half])


def _record(
    made: MadeScene, name: str, labels: tuple[str, ...], asked: tuple[float, float] | None = None
) -> PromptRecord:
    words, text = made.caption.words, made.caption.text
    truth = PromptTruth(
        roles=tuple(str(word.role) for word in words),
        intervals=tuple(_interval(made, word) for word in words),
        labels=labels,
    )
    return PromptRecord(id=name, prompt=text, cluster=text, truth=truth, asked=asked)


def _interval(made: MadeScene, word: SceneWord) -> tuple[float, float] | None:
    """Seconds in which a word acts: those of its event; throughout, where it keeps a sound out.

    A negator keeps out a class that nobody says when to hear, and a time word keeps its event out of the other half.
    """
    return (0.0, DURATION) if word.role in THROUGHOUT else made.interval(word)
