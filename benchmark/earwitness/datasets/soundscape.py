"""The soundscape world as a dataset: captions of made sounds with the truth of every word."""

from __future__ import annotations

from earwitness.datasets import PromptRecord, PromptTruth
from earwitness.datasets.subset import Items, Seed, validated
from earwitness.errors import EarwitnessError
from earwitness.worlds.soundscape import SPLITS, Scene, scene
from earwitness.worlds.soundscape import VERSION as VERSION

MADE = True


@validated
def load(
    source: str = "", *, split: str = "test", items: Items, seed: Seed = 0, order: bool = False
) -> list[PromptRecord]:
    """The first `items` scenes of a split of the world; another seed draws other scenes of the same split.

    `order` says whether captions carry order words. Scenes of one caption are a cluster: models hear the caption alone.
    Raises EarwitnessError where there is no such split.
    """
    for known in SPLITS:
        if known == split:
            return [_record(scene(known, index, seed, order)) for index in range(items)]
    raise EarwitnessError(f"the soundscape world has no split {split!r}; splits: {', '.join(SPLITS)}")


def _record(made: Scene) -> PromptRecord:
    words = made.caption.words
    truth = PromptTruth(
        roles=tuple(str(word.role) for word in words),
        intervals=tuple(made.interval(word) for word in words),
        labels=tuple(event.label for event in made.events),
    )
    return PromptRecord(id=made.id, prompt=made.caption.text, cluster=made.caption.text, truth=truth)
