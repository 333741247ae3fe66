"""The tones world as a dataset: each record is a study of its own, with training clips and test clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from earwitness.datasets import ConceptRecord, Notes
from earwitness.datasets.subset import Items, Seed, validated
from earwitness.errors import EarwitnessError, InvalidItemError
from earwitness.seeds import derive
from earwitness.worlds import estimators
from earwitness.worlds.tones import FACTORS, MOVE_TOGETHER, SAMPLE_RATE, SPLITS, Tone, render, tone
from earwitness.worlds.tones import VERSION as VERSION

if TYPE_CHECKING:
    from numpy.typing import NDArray

MADE = True
ESTIMATORS = {name: estimators.ESTIMATORS[name] for name in FACTORS}
"""What measures each factor in a sound, however it was made."""
WORLDS = ("independent", "correlated")
EXPLAINED = ("pitch", "loudness", "brightness")
"""Factors that a study asks for unless others are named: all but attack, which lies in single frames, while probes read
a clip's mean features."""


@validated
def load(
    source: str = "",
    *,
    split: str = "test",
    items: Items,
    seed: Seed = 0,
    train: Annotated[int, Field(ge=1, le=10_000)] = 400,
    test: Annotated[int, Field(ge=1, le=10_000)] = 100,
    worlds: Sequence[str] = WORLDS,
    factors: Sequence[str] = EXPLAINED,
) -> list[ConceptRecord]:
    """The first `items` studies of a split, each of `train` training and `test` test clips that no other study has.

    Studies take turns among `worlds`: in a correlated one, loudness and brightness of the training clips move together.
    `factors` are those of the drawn ones that are asked for. Another seed draws other clips. Each study is a cluster of
    its own. Raises EarwitnessError where there is no such split, world or factor, or too few clips.
    """
    if split not in SPLITS:
        raise EarwitnessError(f"the tones world has no split {split!r}; splits: {', '.join(SPLITS)}")
    if not worlds or not set(worlds) <= set(WORLDS):
        raise EarwitnessError(f"worlds is a list of some of {', '.join(WORLDS)}; found {worlds!r}")
    if not factors or not set(factors) <= set(FACTORS):
        raise EarwitnessError(f"factors is a list of some of {', '.join(FACTORS)}; found {factors!r}")
    study = _Study(train, test, tuple(factors))
    return [_record(split, index, seed, study, worlds[index % len(worlds)]) for index in range(items)]


@dataclass(frozen=True)
class _Study:
    """What every record has."""

    train: int
    test: int
    factors: tuple[str, ...]


def _record(split: str, index: int, seed: int, study: _Study, world: str) -> ConceptRecord:
    name = f"{split}-{index:05d}" + (f"-{seed}" if seed else "")
    drawn = derive("tones", split, index, seed)
    correlated = world == "correlated"
    return ConceptRecord(
        id=name,
        cluster=name,
        train=_notes([tone("train", number, drawn, correlated) for number in range(study.train)], study.factors),
        test=_notes([tone("test", number, drawn) for number in range(study.test)], study.factors),
        correlated=tuple(name for name in MOVE_TOGETHER if name in study.factors) if correlated else (),
    )


def _notes(made: list[Tone], factors: tuple[str, ...]) -> Notes:
    def audio(sample_rate: int) -> list[NDArray[np.float32]]:
        if sample_rate != SAMPLE_RATE:
            raise InvalidItemError(f"tones are made at {SAMPLE_RATE} Hz, and the model hears {sample_rate} Hz")
        return [render(each) for each in made]

    return Notes(audio, {name: np.array([each.factors[name] for each in made]) for name in factors})
