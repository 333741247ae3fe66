"""The track's one response: what is lost of the answer without the numbers that matter most."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np
import torch

from earwitness.exhibits.manifest import leave
from earwitness.exhibits.writing import Curve, ItemExhibits
from earwitness.scoring import Setting, Value, loading
from earwitness.scoring.columns import Column, read_columns
from earwitness.scoring.evaluate import evaluate
from earwitness.scoring.items import Items, records_of
from elsewhere.sums.dataset import SumRecord
from elsewhere.sums.metrics import Removed
from elsewhere.sums.scored.originals import SumOriginals
from elsewhere.sums.track import Shares, SumItem, SumModel

Pair = tuple[SumItem, Shares]


class SumScoring(Items[SumRecord, SumItem]):
    """Items of a task, and the metrics of shares."""

    def __init__(self, setting: Setting) -> None:
        records = records_of(setting, SumRecord)
        self.metrics = read_columns(setting.task)
        self.originals = SumOriginals(setting, records)
        super().__init__(setting, records, self.originals)

    @cached_property
    def model(self) -> SumModel:
        """The trusted copy of the model."""
        return cast("SumModel", loading.load_model(self.setting.task, self.setting.device))

    def score(self, pairs: Sequence[Pair], exhibits: Path | None = None) -> list[list[Value]]:
        """Values of every metric of the card for each pair."""
        for item, given in pairs if exhibits is not None else ():
            place = ItemExhibits(Path(str(exhibits)), item.id)
            curve = Curve("number", range(len(given.shares)), {"share": given.shares.tolist()})
            leave(place.folder, item.id, lambda place=place, curve=curve: [place.curve("shares", curve)])
        return evaluate(pairs, [(column, self.originals.seeds[0]) for column in self.metrics], self._respond)

    def _respond(self, pairs: Sequence[Pair]) -> Callable[[int, Column, int], float]:
        return lambda at, column, seed: column.value(*self._arrays(pairs[at], column.response))

    def _arrays(self, pair: Pair, response: Removed) -> tuple[float, float]:
        item, given = pair
        kept = item.numbers.copy()
        kept[np.argsort(-given.shares, kind="stable")[: response.count]] = 0
        with torch.inference_mode():
            whole, rest = self.model.answer(torch.as_tensor(np.stack([item.numbers, kept]))).tolist()
        return whole, rest


def open_scoring(setting: Setting) -> SumScoring:
    """Scoring of a task of the track."""
    return SumScoring(setting)
