"""Items: the numbers as the dataset has them."""

from __future__ import annotations

from collections.abc import Sequence

from earwitness.scoring import Problem
from earwitness.scoring.originals import Originals
from elsewhere.sums.dataset import SumRecord
from elsewhere.sums.track import SumItem, SumModel


class SumOriginals(Originals[SumRecord, SumItem]):
    """The items that are explained."""

    item = SumItem

    def make(self, records: Sequence[SumRecord], model: SumModel) -> tuple[list[SumItem], list[Problem]]:
        """Items of some records."""
        return [SumItem(record.id, record.numbers) for record in records], []
