"""Maps of speech that an audit of metrics tries: places are the cells of the spectrogram, and the earlier tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from earwitness.authoring.forms import HALF, ONE_HOT, ONES, Places
from earwitness.tracks.speech import SpeechMap

if TYPE_CHECKING:
    from earwitness.tracks.speech import SpeechItem, SpeechModel


def mix(model: SpeechModel, item: SpeechItem, kept: SpeechMap, noise: SpeechMap, taken: Places) -> SpeechMap:
    """The map with the cells, and the earlier tokens, that `taken` names as they are in `noise`."""
    cells = taken.of(item.features.size).reshape(item.features.shape)
    tokens = taken.of(kept.prefix.size).reshape(kept.prefix.shape)
    return SpeechMap(np.where(cells, noise.spectrogram, kept.spectrogram), np.where(tokens, noise.prefix, kept.prefix))


def shuffled(model: SpeechModel, item: SpeechItem, kept: SpeechMap, rng: np.random.Generator) -> SpeechMap:
    """The map with each token's cells in other places, and with its earlier tokens in another order."""
    cells = kept.spectrogram.reshape(len(kept.spectrogram), -1)[:, rng.permutation(item.features.size)]
    prefix = np.zeros_like(kept.prefix)
    for k in range(len(prefix)):
        prefix[k, :k] = rng.permutation(kept.prefix[k, :k])
    return SpeechMap(cells.reshape(kept.spectrogram.shape), prefix)


def blind(model: SpeechModel, item: SpeechItem, rng: np.random.Generator) -> dict[str, SpeechMap]:
    """Maps that know nothing, the same for every token."""
    tokens, shape = len(item.tokens), item.features.shape
    before = np.tril(np.ones((tokens, tokens)), -1)
    one, last = np.zeros(shape), np.diag(np.ones(max(tokens - 1, 0)), -1)
    one.flat[rng.integers(one.size)] = 1
    return {
        HALF: SpeechMap(np.full((tokens, *shape), 0.5), before / 2),
        ONES: SpeechMap(np.ones((tokens, *shape)), before),
        ONE_HOT: SpeechMap(np.repeat(one[None], tokens, 0), last),
    }
