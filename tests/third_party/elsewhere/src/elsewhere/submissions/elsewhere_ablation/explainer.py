"""Each number left out in turn."""

from __future__ import annotations

import numpy as np
import torch
from elsewhere.sums.track import Shares, SumExplainer, SumItem, SumModel


class Ablation(SumExplainer):
    """What the answer loses without a number."""

    def explain(self, model: SumModel, item: SumItem) -> Shares:
        """The shares of one item."""
        rows = np.stack([item.numbers, *(item.numbers * (1 - np.eye(len(item.numbers), dtype=np.float32)))])
        answers = model.answer(torch.as_tensor(rows)).numpy()
        return Shares(answers[0] - answers[1:])
