"""Truth of the band track: which words of a prompt name an instrument, where its stem sounds, and how that averages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from earwitness.datasets.instruments import instruments
from earwitness.errors import EarwitnessError, InvalidItemError
from earwitness.metrics.band import sounding
from earwitness.scoring import loading
from earwitness.scoring.files import read_arrays, write_arrays

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from earwitness.datasets import BandRecord
    from earwitness.scoring import Setting
    from earwitness.tracks.band import BandModel

SILENT = 1e-4
"""Largest sample, -80 dB below full scale, up to which a stem is silent."""
SPARE = 0.05
"""Share of the model's length by which a clip may be shorter; it is padded with silence, and a longer one is cut."""
TRAINING = 400
"""Clips of the train split that the prior is the mean of."""


@dataclass(frozen=True)
class Mixture:
    """The sound of a record as long as the model's, and where its named instruments sound."""

    audio: NDArray[np.float32]
    """[S] the mix."""
    stems: NDArray[np.float32]
    """[I, S]."""
    truth: NDArray[np.bool_]
    """[I, M, T]."""


def named(prompt: str, known: Sequence[str]) -> list[tuple[int, str]]:
    """Index and name of each whitespace-separated word that names a known instrument, in the prompt's order.

    Words are compared as `instruments` does, whatever their case, number and punctuation. Raises InvalidItemError where
    there is none, where one is named twice, or where one word names two.

    >>> named("Basses, and a drum…", ("bass", "drum"))
    [(0, 'bass'), (3, 'drum')]
    """
    found = instruments(prompt, known)
    if not found:
        raise InvalidItemError(f"the prompt names no known instrument (known: {', '.join(known)})")
    places = [index for index, _ in found]
    both = next((place for place in places if places.count(place) > 1), None)
    if both is not None:
        said = " and ".join(name for place, name in found if place == both)
        raise InvalidItemError(f"the word {prompt.split()[both]!r} names {said}; write them apart")
    names = [name for _, name in found]
    doubles = sorted({name for name in names if names.count(name) > 1})
    if doubles:
        raise InvalidItemError(f"the prompt names {', '.join(doubles)} more than once: name each instrument once")
    return found


def read_clip(record: BandRecord, instruments: tuple[str, ...], model: BandModel) -> Mixture:
    """The sound and the truth of a record; raises InvalidItemError, in one line, where they are no use."""
    audio = record.audio(model.sample_rate)
    stems = record.stems(model.sample_rate, instruments)
    if stems.shape != (len(instruments), len(audio)):
        raise InvalidItemError(
            f"the stems of {', '.join(instruments)} are {list(stems.shape)}, and the mix has {len(audio)} samples"
        )
    for name, stem in zip(instruments, stems, strict=True):
        if not np.isfinite(stem).all() or float(np.abs(stem).max(initial=0.0)) <= SILENT:
            raise InvalidItemError(f"the stem of {name} is silent or not finite")
    audio, stems = fitted(audio, model), fitted(stems, model)
    with torch.inference_mode():
        mels = model.mel(torch.from_numpy(stems).to(model.device)).float().cpu().numpy()
    return Mixture(audio, stems, np.stack([sounding(mel) for mel in mels]))


def fitted(audio: NDArray[np.float32], model: BandModel) -> NDArray[np.float32]:
    """Audio [..., S] of the model's length; raises InvalidItemError where it is too short."""
    wanted = round(model.frames / model.frame_rate * model.sample_rate)
    length = audio.shape[-1]
    if length < wanted * (1 - SPARE):
        seconds = [samples / model.sample_rate for samples in (length, wanted)]
        raise InvalidItemError(f"the clip lasts {seconds[0]:.2f} s, and the model makes {seconds[1]:.2f} s")
    missing = [(0, 0)] * (audio.ndim - 1) + [(0, max(0, wanted - length))]
    return np.ascontiguousarray(np.pad(audio[..., :wanted], missing), dtype=np.float32)


class Prior:
    """Mean truth of each instrument over clips of the dataset's train split, computed once and kept on disk."""

    def __init__(self, path: Path, setting: Setting) -> None:
        self.path = path
        self._setting = setting
        self._means: dict[str, NDArray[np.float32]] | None = None

    def of(self, instruments: Sequence[str], model: BandModel) -> NDArray[np.float32]:
        """[I, M, T]; zero for an instrument that no training clip has."""
        if self._means is None:
            self._means = self._read(model)
        nothing = np.zeros((model.bins, model.frames), dtype=np.float32)
        return np.stack([self._means.get(name, nothing) for name in instruments])

    def _read(self, model: BandModel) -> dict[str, NDArray[np.float32]]:
        found = read_arrays(self.path)
        if found is not None:
            return found[0]
        means = mean_truth(training_records(self._setting), model)
        write_arrays(self.path, means, {})
        return means


def training_records(setting: Setting) -> list[BandRecord]:
    """Clips of the train split of a setting's dataset, of its seed; none where it has no such split."""
    card = setting.task.card.dataset
    load: Callable[..., list[BandRecord]] = loading.adapter("datasets", card.adapter, setting.task).entry
    source = setting.task.source(card.source) if card.source and setting.fresh is None else ""
    seed = card.seed if setting.fresh is None else setting.fresh
    try:
        return list(load(source, split="train", items=TRAINING, seed=seed, **card.parameters))
    except EarwitnessError:
        return []


def mean_truth(records: Sequence[BandRecord], model: BandModel) -> dict[str, NDArray[np.float32]]:
    """Mean truth [M, T] of each instrument over the records that name it; those that are no use are left out."""
    sums: dict[str, NDArray[np.float64]] = {}
    counts: dict[str, int] = {}
    for record in records:
        try:
            instruments = tuple(name for _, name in named(record.prompt, record.known))
            truth = read_clip(record, instruments, model).truth
        except InvalidItemError:
            continue
        for name, cells in zip(instruments, truth, strict=True):
            sums[name] = sums.get(name, np.zeros(cells.shape)) + cells
            counts[name] = counts.get(name, 0) + 1
    return {name: (total / counts[name]).astype(np.float32) for name, total in sums.items()}
