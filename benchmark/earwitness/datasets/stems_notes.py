"""The stems world for the concept track: clips of a small band, what is measured of them, and prompts to trace.

Factors are measured on the mix before a model has had a part in it, by the estimators that are used on decoded sounds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from earwitness.datasets import ConceptRecord, Notes
from earwitness.datasets.subset import Items, Seed, validated
from earwitness.errors import EarwitnessError, InvalidItemError
from earwitness.seeds import derive
from earwitness.worlds import estimators
from earwitness.worlds.stems import SPLITS, Split, clip, render
from earwitness.worlds.stems import VERSION as VERSION
from earwitness.worlds.synthesiser import SAMPLE_RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

MADE = True
LOW = 250.0
"""Hz under which sound counts as low: where basses and drums have their fundamentals."""
LEAST_SHARE = 1e-6
"""Share of the energy under which low sound is not told further apart: -60 dB."""
GAINS = (-12.0, 0.0)
"""Decibels between which each clip's gain is drawn: mixes of the world are nearly as loud as each other."""


def low_share(audio: NDArray[np.float32], sample_rate: int) -> float:
    """Share of the energy of audio [S] that lies under 250 Hz in dB, at least -60; NaN where it is silent.

    >>> time = np.arange(16_000) / 16_000
    >>> tones = np.sin(2 * np.pi * 100 * time) + 3 * np.sin(2 * np.pi * 1000 * time)
    >>> round(low_share(tones.astype(np.float32), 16_000), 6)
    -10.0
    """
    energy = np.square(np.abs(np.fft.rfft(np.asarray(audio, dtype=np.float64))))
    if not energy.sum() > 0:
        return float("nan")
    low = np.fft.rfftfreq(len(audio), 1 / sample_rate) < LOW
    return float(10 * np.log10(max(energy[low].sum() / energy.sum(), LEAST_SHARE)))


ESTIMATORS: dict[str, estimators.Estimator] = {
    "loudness": estimators.loudness,
    "brightness": estimators.brightness,
    "low_share": low_share,
}
"""What measures each factor in a sound, however it was made."""
FACTORS = tuple(ESTIMATORS)


@validated
def load(
    source: str = "",
    *,
    split: str = "test",
    items: Items,
    seed: Seed = 0,
    train: Annotated[int, Field(ge=1, le=10_000)] = 400,
    test: Annotated[int, Field(ge=1, le=10_000)] = 100,
    traced: Annotated[int, Field(ge=0, le=10_000)] = 8,
) -> list[ConceptRecord]:
    """The first `items` studies of a split, each of `train` training and `test` held-out clips that no other has.

    Training clips are of the world's train split, held-out ones of `split`. The prompts of `traced` held-out clips are
    to be traced. Another seed draws other clips. Each study is a cluster of its own. Raises EarwitnessError where there
    is no such split, or too few clips.
    """
    for known in SPLITS[1:]:
        if known == split:
            break
    else:
        raise EarwitnessError(f"clips are held out from the split validation or test; found split = {split!r}")
    if traced > test:
        raise EarwitnessError(
            f"a study has {test} test clips, and the prompts of {traced} are to be traced; lower traced"
        )
    names = [f"{split}-{index:05d}" + (f"-{seed}" if seed else "") for index in range(items)]
    return [
        ConceptRecord(
            id=name,
            cluster=name,
            train=_notes("train", train, drawn),
            test=_notes(known, test, drawn),
            estimated=FACTORS,
            prompts=tuple(clip(known, number, drawn).prompt for number in range(traced)),
        )
        for index, name in enumerate(names)
        for drawn in [derive("stems_notes", split, index, seed)]
    ]


def _notes(split: Split, count: int, drawn: int) -> Notes:
    measured = _Measured(split, count, drawn)
    return Notes(measured.audio, measured)


class _Measured(Mapping[str, "NDArray[np.float64]"]):
    """Factors of clips, measured when their sounds are first rendered: rendering a study takes seconds."""

    def __init__(self, split: Split, count: int, drawn: int) -> None:
        self._split, self._count, self._drawn = split, count, drawn
        self._found: dict[str, NDArray[np.float64]] = {}

    def audio(self, sample_rate: int) -> list[NDArray[np.float32]]:
        """Mixes [S] of the clips at their gains; raises InvalidItemError at another sample rate than the world's."""
        if sample_rate != SAMPLE_RATE:
            raise InvalidItemError(f"stems are made at {SAMPLE_RATE} Hz, and the model hears {sample_rate} Hz")
        gains = np.random.default_rng(derive(self._drawn, "gains", self._split)).uniform(*GAINS, self._count)
        sounds = [
            render(clip(self._split, number, self._drawn)).audio * np.float32(10 ** (gain / 20))
            for number, gain in enumerate(gains)
        ]
        self._found = {
            name: np.array([measure(sound, sample_rate) for sound in sounds]) for name, measure in ESTIMATORS.items()
        }
        return sounds

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        if name not in ESTIMATORS:
            raise KeyError(name)
        if not self._found:
            self.audio(SAMPLE_RATE)
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(ESTIMATORS)

    def __len__(self) -> int:
        return len(ESTIMATORS)
