"""The tones world as a dataset: each record is a study of its own, with training clips and test clips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from earwitness.datasets import ConceptRecord, Notes
from earwitness.errors import EarwitnessError, InvalidItemError
from earwitness.seeds import derive
from earwitness.worlds import estimators
from earwitness.worlds.tones import FACTORS, MOVE_TOGETHER, SAMPLE_RATE, SPLITS, Tone, render, tone

if TYPE_CHECKING:
    from numpy.typing import NDArray

MADE = True
ESTIMATORS = {name: estimators.ESTIMATORS[name] for name in FACTORS}
"""What measures each factor in a sound, however it was made."""
WORLDS = ("independent", "correlated")


def load(
    source: str = "",
    *,
    split: str = "test",
    items: int,
    seed: int = 0,
    revision: str = "1",
    train: int = 400,
    test: int = 100,
    worlds: Sequence[str] = WORLDS,
) -> list[ConceptRecord]:
    """The first `items` studies of a split, each of `train` training and `test` test clips that no other study has.

    Studies take turns among `worlds`: in a correlated one, loudness and brightness of the training clips move together.
    Another seed draws other clips. Each study is a cluster of its own. Raises EarwitnessError where there is no such
    split or world, or too few clips.
    """
    if split not in SPLITS:
        raise EarwitnessError(f"the tones world has no split {split!r}; splits: {', '.join(SPLITS)}")
    if isinstance(worlds, str) or not worlds or not set(worlds) <= set(WORLDS):
        raise EarwitnessError(f"worlds is a list of some of {', '.join(WORLDS)}; found {worlds!r}")
    if train < 1 or test < 1:
        raise EarwitnessError(f"a study has at least 1 training and 1 test clip; found train = {train}, test = {test}")
    return [_record(split, index, seed, (train, test), worlds[index % len(worlds)]) for index in range(items)]


def _record(split: str, index: int, seed: int, counts: tuple[int, int], world: str) -> ConceptRecord:
    name = f"{split}-{index:05d}" + (f"-{seed}" if seed else "")
    drawn = derive("tones", split, index, seed)
    correlated = world == "correlated"
    return ConceptRecord(
        id=name,
        cluster=name,
        train=_notes([tone("train", number, drawn, correlated) for number in range(counts[0])]),
        test=_notes([tone("test", number, drawn) for number in range(counts[1])]),
        correlated=MOVE_TOGETHER if correlated else (),
    )


def _notes(made: list[Tone]) -> Notes:
    def audio(sample_rate: int) -> list[NDArray[np.float32]]:
        if sample_rate != SAMPLE_RATE:
            raise InvalidItemError(f"tones are made at {SAMPLE_RATE} Hz, and the model hears {sample_rate} Hz")
        return [render(each) for each in made]

    return Notes(audio, {name: np.array([each.factors[name] for each in made]) for name in FACTORS})
