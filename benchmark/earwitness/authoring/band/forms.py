"""Maps of bands that an audit of metrics tries: places are the cells of the mel grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from earwitness.authoring.forms import HALF, ONE_HOT, ONES, Places
from earwitness.tracks.band import BandMap

if TYPE_CHECKING:
    from earwitness.tracks.band import BandItem, BandModel

MODEL_TRUTH = "swap_corr"
"""Metric that compares with what intervention on the model shows."""


def mix(model: BandModel, item: BandItem, kept: BandMap, noise: BandMap, taken: Places) -> BandMap:
    """The map with the cells that `taken` names as they are in `noise`, each map brought to a largest cell of 1."""
    cells = taken.of(item.mel.size).reshape(item.mel.shape)
    first, second = (_to_one(each.instruments(item)) for each in (kept, noise))
    return BandMap.of_instruments(item, np.where(cells, second, first))


def shuffled(model: BandModel, item: BandItem, kept: BandMap, rng: np.random.Generator) -> BandMap:
    """The map with its cells in other places."""
    maps = kept.instruments(item)
    cells = maps.reshape(len(maps), -1)[:, rng.permutation(item.mel.size)]
    return BandMap.of_instruments(item, cells.reshape(maps.shape))


def blind(model: BandModel, item: BandItem, rng: np.random.Generator) -> dict[str, BandMap]:
    """Maps that know nothing, the same for every instrument."""
    shape = (len(item.instruments), *item.mel.shape)
    one = np.zeros(item.mel.shape)
    one.flat[rng.integers(one.size)] = 1
    maps = {HALF: np.full(shape, 0.5), ONES: np.ones(shape), ONE_HOT: np.repeat(one[None], shape[0], 0)}
    return {name: BandMap.of_instruments(item, each) for name, each in maps.items()}


def _to_one(maps: np.ndarray) -> np.ndarray:
    """Maps [I, M, T] over the largest cell of each; maps of zeros stay so."""
    largest = maps.max((1, 2), keepdims=True)
    return np.asarray(maps / np.where(largest > 0, largest, 1))
