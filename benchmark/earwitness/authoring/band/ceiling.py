"""Ceilings of a band task: the best and the worst that is known to be reached.

Against known cells the best map is those cells and the worst is all others. What taking attention away does to a sound
no formula tells, so that a few explanations are tried: the cells in which the stems sound, what each word's removal
changes in the sound, the reverse of both, what the word is attended by, and seeded draws. Each is scored by the code
that scores entrants; which of them is a metric's ceiling is chosen on fresh clips (`authoring.cross_fitting`). The true
cells' own values are kept beside them.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from earwitness.authoring import cross_fitting
from earwitness.authoring.ceilings import TRUTH
from earwitness.scoring.band.scoring import open_scoring
from earwitness.seeds import derive
from earwitness.tracks.band import BandMap, attended

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from earwitness.scoring.band.scoring import BandScoring
    from earwitness.tracks.band import BandItem

DRAWS = 2
"""Maps of noise that are tried."""
FRESH = 20
"""Fresh clips that the candidates are chosen on."""


def candidates(scoring: BandScoring, item: BandItem) -> dict[str, Callable[[], BandMap]]:
    """Explanations that are tried, by name."""
    known = scoring.originals.pairs(scoring.chunk_of(item.id), scoring.model)[item.id]
    changed = known.difference.astype(np.float64)
    maps: dict[str, Callable[[], NDArray[np.float64]]] = {}
    if item.start.size:
        maps[TRUTH] = lambda: known.truth.astype(np.float64)
        maps[f"not {TRUTH}"] = lambda: (~known.truth).astype(np.float64)
    maps["swap"] = lambda: changed
    maps["not swap"] = lambda: changed.max((1, 2), keepdims=True) - changed
    maps["attention"] = lambda: BandMap(maps=attended(scoring.model, item)).instruments(item)
    for number in range(DRAWS):
        seed = derive(scoring.setting.task.seed_key, item.id, "draws", number)
        maps[f"draw {number}"] = partial(_draw, seed, changed.shape)
    return {name: partial(_map, item, make) for name, make in maps.items()}


def _draw(seed: int, shape: tuple[int, ...]) -> NDArray[np.float64]:
    return np.random.default_rng(seed).random(shape)


def _map(item: BandItem, make: Callable[[], NDArray[np.float64]]) -> BandMap:
    return BandMap.of_instruments(item, make())


SEARCH = cross_fitting.Search(open_scoring, candidates, FRESH, truth=TRUTH)


def chosen(scoring: BandScoring, item: BandItem, choice: str) -> BandMap:
    """The explanation that a choice of `ceilings.SCHEMA` names; raises EarwitnessError where it names none."""
    explanation: BandMap = cross_fitting.chosen(SEARCH, scoring, item, choice)
    return explanation
