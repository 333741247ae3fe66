"""The stems world as a dataset: clips of a few instruments with the stem of each."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from earwitness.datasets import BandRecord
from earwitness.datasets.subset import Items, Seed, validated
from earwitness.errors import EarwitnessError, InvalidItemError
from earwitness.worlds.stems import DURATION, NAMES, SPLITS, Clip, RenderedClip, clip, render
from earwitness.worlds.stems import VERSION as VERSION
from earwitness.worlds.synthesiser import SAMPLE_RATE

MADE = True


@validated
def load(source: str = "", *, split: str = "test", items: Items, seed: Seed = 0) -> list[BandRecord]:
    """The first `items` clips of a split of the world; another seed draws other clips of the same split.

    Clips of one prompt are a cluster. Raises EarwitnessError where there is no such split.
    """
    for known in SPLITS:
        if known == split:
            return [_record(clip(known, index, seed)) for index in range(items)]
    raise EarwitnessError(f"the stems world has no split {split!r}; splits: {', '.join(SPLITS)}")


def _record(made: Clip) -> BandRecord:
    def audio(sample_rate: int) -> NDArray[np.float32]:
        return _rendered(made, sample_rate).audio.copy()

    def stems(sample_rate: int, instruments: tuple[str, ...]) -> NDArray[np.float32]:
        missing = [name for name in instruments if name not in made.instruments]
        if missing:
            raise InvalidItemError(f"{made.id} has no stem of {', '.join(missing)}; its stems: {_listed(made)}")
        return _rendered(made, sample_rate).stems[[made.instruments.index(name) for name in instruments]]

    return BandRecord(
        id=made.id,
        prompt=made.prompt,
        cluster=made.prompt,
        known=NAMES,
        seconds=DURATION,
        audio=audio,
        stems=stems,
    )


def _listed(made: Clip) -> str:
    return ", ".join(made.instruments)


def _rendered(made: Clip, sample_rate: int) -> RenderedClip:
    if sample_rate != SAMPLE_RATE:
        raise InvalidItemError(f"stems are made at {SAMPLE_RATE} Hz, and the model hears {sample_rate} Hz")
    return _render(made)


@lru_cache(maxsize=2)
def _render(made: Clip) -> RenderedClip:
    """The sound of a clip, kept while its mix and its stems are asked for one after the other."""
    return render(made)
