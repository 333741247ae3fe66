"""The soundscape world as a dataset: captions of made sounds with the truth of every word."""

from __future__ import annotations

from earwitness.datasets import PromptRecord, PromptTruth
from earwitness.worlds import soundscape


def load(source: str = "", *, split: str = "test", items: int, seed: int = 0, order: bool = True) -> list[PromptRecord]:
    """The first `items` scenes of a split of the world; another seed draws other scenes of the same split.

    `order` says whether captions carry order words. Each scene is a cluster of its own.
    """
    return [_record(soundscape.scene(split, index, seed, order=order)) for index in range(items)]


def _record(scene: soundscape.Scene) -> PromptRecord:
    words = scene.caption.words
    spans = [(event.start, event.stop) for event in scene.events]
    truth = PromptTruth(
        roles=tuple(str(word.role) for word in words),
        intervals=tuple(None if word.event is None else spans[word.event] for word in words),
        labels=tuple(event.label for event in scene.events),
    )
    return PromptRecord(id=scene.id, prompt=scene.caption.text, cluster=scene.id, truth=truth)
