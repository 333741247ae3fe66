"""Numbers that are drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MADE, VERSION = True, 1


@dataclass(frozen=True)
class SumRecord:
    """Some numbers."""

    id: str
    cluster: str
    numbers: np.ndarray
    """[N] float32, all of a size of their own."""


def load(source: str = "", *, split: str = "test", items: int, seed: int = 0) -> list[SumRecord]:
    """The first `items` draws of six numbers."""
    drawn = np.random.default_rng(seed).permuted(np.tile(np.arange(1.0, 7.0, dtype=np.float32), (items, 1)), axis=1)
    return [SumRecord(f"draw-{number}", f"draw-{number}", row) for number, row in enumerate(drawn)]
