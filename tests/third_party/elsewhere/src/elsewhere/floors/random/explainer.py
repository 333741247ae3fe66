"""The track's floor."""

from __future__ import annotations

import zlib

import numpy as np
from elsewhere.sums.track import Shares, SumExplainer, SumItem, SumModel


class Random(SumExplainer):
    """Shares drawn from the item's name."""

    def explain(self, model: SumModel, item: SumItem) -> Shares:
        """The shares of one item."""
        return Shares(np.random.default_rng(zlib.crc32(item.id.encode())).random(len(item.numbers)))
