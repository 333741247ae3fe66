"""Ceilings of a band task: the best and the worst that is known to be reached on an item.

Against known cells the best map is those cells and the worst is all others. What taking attention away does to a sound
no formula tells, so that a few explanations are tried: the cells in which the stems sound, what each word's removal
changes in the sound, the reverse of both, what the word is attended by, and seeded draws. Each is scored by the code
that scores entrants, and each metric takes its best and its worst; the true cells' own values are kept beside them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from earwitness.authoring.ceilings import BEST, TRUTH, WORST, row
from earwitness.results.rows import Status
from earwitness.seeds import derive
from earwitness.tracks.band import BandMap, attended

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from earwitness.scoring.band.scoring import BandScoring
    from earwitness.tracks.band import BandItem

DRAWS = 2
"""Maps of noise that are tried."""


def search(scoring: BandScoring, item: BandItem) -> list[dict[str, Any]]:
    """Rows of `ceilings.SCHEMA`: best and worst value of each metric with a direction, and the true cells' own."""
    found: dict[str, list[float]] = {}
    seed, rows = scoring.originals.seeds[0], []
    directions = {column.id: column.metric.direction for column in scoring.metrics}
    for name, maps in candidates(scoring, item):
        for value in scoring.score([(item, BandMap.of_instruments(item, maps))])[0]:
            if value.status != Status.OK or value.value is None or directions[value.metric] == "none":
                continue
            found.setdefault(value.metric, []).append(value.value)
            if name == TRUTH:
                rows.append(row(TRUTH, value.metric, item.id, seed, value.value))
    for metric, values in found.items():
        low, high = min(values), max(values)
        best, worst = (high, low) if directions[metric] == "higher" else (low, high)
        rows += [row(BEST, metric, item.id, seed, best), row(WORST, metric, item.id, seed, worst)]
    return rows


def candidates(scoring: BandScoring, item: BandItem) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Maps [I, M, T] that are tried, by name."""
    known = scoring.originals.pairs(scoring.chunk_of(item.id), scoring.model)[item.id]
    changed = known.difference.astype(np.float64)
    if item.start.size:
        yield TRUTH, known.truth.astype(np.float64)
        yield "not truth", (~known.truth).astype(np.float64)
    yield "swap", changed
    yield "not swap", changed.max((1, 2), keepdims=True) - changed
    yield "attention", BandMap(maps=attended(scoring.model, item)).instruments(item)
    rng = np.random.default_rng(derive(scoring.setting.task.seed_key, item.id, "draws"))
    for _ in range(DRAWS):
        yield "draw", rng.random(changed.shape)
