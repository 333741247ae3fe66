"""Responses: sounds generated without a word's attention at chosen places, and what judges hear in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.signal import resample_poly

from earwitness.explaining.batches import in_passes
from earwitness.tracks.band import Start, Text, start_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from earwitness.judges import Judge
    from earwitness.tracks.band import BandItem, BandModel

BATCH = 8
"""Most sounds that are generated at once; fewer where they do not fit into memory."""


class BandRespondent:
    """A model and its judges."""

    def __init__(self, model: BandModel, judges: Mapping[str, Judge]) -> None:
        self.model = model
        self.judges = judges

    def deleted(self, item: BandItem, words: Sequence[int], cells: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Sounds [n, S] of an item, each without one instrument word's attention in cells [n, M, T].

        `words` [n] are numbers of instruments. Start and noise are the item's.
        """
        keep = np.ones((len(words), *item.named.shape[1:], *cells.shape[1:]), dtype=np.float32)
        for row, word, gone in zip(keep, words, cells, strict=True):
            row[item.named[word]] = np.where(gone, 0.0, 1.0)
        found = in_passes(lambda part: self._generated(item, keep[part]), len(keep), BATCH)
        return np.concatenate(list(found))

    def presence(self, item: BandItem, audio: NDArray[np.float32], judge: str) -> NDArray[np.float64]:
        """Presence [n, I] of an item's instruments in sounds [n, S]; 0 for one that the judge has no class of."""
        found = self.classes(audio, judge)
        columns = [classes_of(name, self.judges[judge].labels) for name in item.instruments]
        return np.stack([found[:, own].max(1) if own else np.zeros(len(found)) for own in columns], axis=1)

    def classes(self, audio: NDArray[np.float32], judge: str) -> NDArray[np.float64]:
        """Presence [n, C] of each of a judge's classes in sounds [n, S]."""
        listener = self.judges[judge]
        found = listener.presence(self._resampled(audio, listener.sample_rate))
        return np.asarray(found.double().cpu().numpy())

    @torch.inference_mode()
    def _generated(self, item: BandItem, keep: NDArray[np.float32]) -> NDArray[np.float32]:
        model, start = self.model, start_of(self.model, item)
        text = repeated(model.encode([item.prompt]), len(keep))
        if start is not None:
            start = Start(start.mel.expand(len(keep), -1, -1), start.strength)
        kept = torch.from_numpy(keep).to(model.device)
        audio = model.generate(text, [item.seed] * len(keep), start, keep=kept).audio
        return np.asarray(audio.float().cpu().numpy())

    def _resampled(self, audio: NDArray[np.float32], sample_rate: int) -> Tensor:
        if sample_rate != self.model.sample_rate:
            audio = resample_poly(audio, sample_rate, self.model.sample_rate, axis=-1)
        return torch.from_numpy(np.ascontiguousarray(audio, dtype=np.float32)).to(self.model.device)


def repeated(text: Text, rows: int) -> Text:
    """One encoded prompt as so many rows."""
    other = None if text.other is None else text.other.expand(rows, -1, -1)
    return Text(text.states.expand(rows, -1, -1), text.mask.expand(rows, -1), other)


def classes_of(instrument: str, labels: Sequence[str]) -> list[int]:
    """Which of a judge's classes are an instrument, by any of the names, parted by commas, that a class has.

    >>> classes_of("fiddle", ("Drum", "Violin, fiddle"))
    [1]
    """
    return [i for i, label in enumerate(labels) if instrument in [name.strip().lower() for name in label.split(",")]]
