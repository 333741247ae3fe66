"""Originals of the band track: sounds made from clips and prompts, and the same sounds without one word."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from earwitness.errors import InvalidItemError
from earwitness.exhibits.gating import centres
from earwitness.exhibits.manifest import ORIGINAL, write
from earwitness.exhibits.writing import ItemExhibits
from earwitness.explaining.batches import in_passes
from earwitness.scoring import Problem
from earwitness.scoring.band.truth import Mixture, Prior, named, read_clip
from earwitness.scoring.files import read_arrays, write_arrays
from earwitness.scoring.originals import Originals, require_finite_answer
from earwitness.seeds import derive
from earwitness.tracks.band import BandItem, Generated, Start, generate, loudness, start_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from earwitness.datasets import BandRecord
    from earwitness.scoring import Setting
    from earwitness.tracks.band import BandModel


@dataclass(frozen=True)
class Pairs:
    """What is known of an item that no explainer sees."""

    truth: NDArray[np.bool_]
    """[I, M, T] cells in which each instrument's stem sounds."""
    difference: NDArray[np.float32]
    """[I, M, T] |loudness with the word - loudness without it|, under the same start and noise."""
    original: NDArray[np.float32]
    """[S] the item's sound."""
    without: NDArray[np.float32]
    """[I, S] its sound without each instrument word."""
    fresh: NDArray[np.float32]
    """[S] from the same start and prompt under fresh noise."""


FIELDS = tuple(Pairs.__dataclass_fields__)


class BandOriginals(Originals["BandRecord", BandItem]):
    """The sounds that are explained."""

    item = BandItem

    def __init__(self, setting: Setting, records: Sequence[BandRecord]) -> None:
        super().__init__(setting, records)
        self.prior = Prior(self.folder / "prior.safetensors", setting)
        self._page: dict[str, dict[str, Any]] = {}
        self._hz: list[float] | None = None
        self._pairs: dict[int, dict[str, Pairs]] = {}

    def make(self, records: Sequence[BandRecord], model: BandModel) -> tuple[list[BandItem], list[Problem]]:
        """Items of some records, and those that cannot be explained; leaves sounds and pairs in `folder`."""
        items, problems = [], []
        pairs: dict[str, Pairs] = {}
        for record in records:
            try:
                item, clip = self._item(record, model)
            except InvalidItemError as error:
                problems.append(Problem(record.id, str(error)))
                continue
            made = generate(model, item)
            require_finite_answer(record.id, "spectrograms", made.mel)
            require_finite_answer(record.id, "sounds", made.audio)
            mel = np.ascontiguousarray(made.mel[0].float().cpu().numpy())
            item = BandItem.build(item.fields(), {**item.arrays(), "mel": mel})
            items.append(item)
            pairs[item.id] = self._pair(item, clip, made, model)
            self._leave(item, clip, pairs[item.id], model)
            self._page[item.id] = {**page_of(item, pairs[item.id], model), "hz": self._bins(model)}
        if records:
            arrays = {f"{item}/{name}": getattr(own, name) for item, own in pairs.items() for name in FIELDS}
            write_arrays(self._path(self._chunk_of(records[0])), arrays, {})
        return items, problems

    def page(self, records: Sequence[BandRecord], model: BandModel) -> dict[str, dict[str, Any]]:
        """What the page shows of the records that `make` made items of: truth and swap difference."""
        return {record.id: self._page.pop(record.id) for record in records if record.id in self._page}

    def pairs(self, chunk: int, model: BandModel) -> dict[str, Pairs]:
        """What is known of the items of a chunk, by item id."""
        if chunk not in self._pairs:
            self.items(chunk, lambda: model)
            found = read_arrays(self._path(chunk))
            if found is None:
                # The items are on disk and their pairs are not: they are made again, the same bit for bit.
                self.make(self._of_chunk(chunk), model)
                found = read_arrays(self._path(chunk))
                assert found is not None
            own: dict[str, dict[str, Any]] = {}
            for key, array in found[0].items():
                item, _, name = key.rpartition("/")
                own.setdefault(item, {})[name] = array
            # One chunk at a time: sounds of all items would not fit where clips are long.
            self._pairs = {chunk: {item: Pairs(**arrays) for item, arrays in own.items()}}
        return self._pairs[chunk]

    def _bins(self, model: BandModel) -> list[float]:
        """Frequency of each mel bin (Hz), heard once; none where the model has no frequency axis."""
        if self._hz is None:
            self._hz = []
            if model.has_frequency:
                heard = centres(lambda audio: _mel(audio, model).T, model.sample_rate)
                self._hz = [round(float(hz), 1) for hz in heard]
        return self._hz

    def _path(self, chunk: int) -> Any:
        return self.folder / f"pairs-{chunk:04d}.safetensors"

    def _chunk_of(self, record: BandRecord) -> int:
        return self.chunk_of(next(i for i, known in enumerate(self._records) if known.id == record.id))

    def _of_chunk(self, chunk: int) -> list[BandRecord]:
        return [record for index, record in enumerate(self._records) if self.chunk_of(index) == chunk]

    def _item(self, record: BandRecord, model: BandModel) -> tuple[BandItem, Mixture]:
        """The item of a record, its sound not made yet, and the clip that it starts from."""
        if not record.known:
            # A clip of which nothing is known is one that cannot be read: it says itself why.
            record.audio(model.sample_rate)
        places = named(record.prompt, record.known)
        instruments = tuple(name for _, name in places)
        words = np.asarray(model.words([record.prompt])[0], dtype=np.int64)
        owned = words[None] == np.array([index for index, _ in places])[:, None]
        if not owned.any(1).all():
            raise InvalidItemError(f"the model reads no token of {instruments[int(owned.any(1).argmin())]}")
        clip = read_clip(record, instruments, model)
        nothing = np.zeros((0, 0), dtype=np.float32)
        item = BandItem(
            id=record.id,
            prompt=record.prompt,
            seed=derive(self.seed_key, record.id, "generation", self.seeds[0]),
            explainer_seed=self.explainer_seed(record.id),
            strength=model.strength,
            tokens=tuple(model.tokens([record.prompt])[0]),
            instruments=instruments,
            words=words,
            named=owned,
            start=_mel(clip.audio, model) if 0 < model.strength < 1 else nothing,
            mel=nothing,
            prior=self.prior.of(instruments, model),
        )
        return item, clip

    def _pair(self, item: BandItem, clip: Mixture, made: Generated, model: BandModel) -> Pairs:
        prompts = [item.without(index) for index in range(len(item.instruments))]
        without = together(model, item, prompts, [item.seed] * len(prompts))
        fresh = together(model, item, [item.prompt], [derive(self.seed_key, item.id, "fresh", self.seeds[0])])
        return Pairs(
            truth=clip.truth,
            difference=np.ascontiguousarray((loudness(made.mel) - loudness(without.mel)).abs().float().cpu().numpy()),
            original=_waves(made)[0],
            without=_waves(without),
            fresh=_waves(fresh)[0],
        )

    def _leave(self, item: BandItem, clip: Mixture, pairs: Pairs, model: BandModel) -> None:
        """Write the sounds that the page plays."""
        own, rate = ItemExhibits(self.folder, item.id), model.sample_rate
        sounds = [own.sound(ORIGINAL, pairs.original, rate), own.sound("mix", clip.audio, rate)]
        for label, waves in (("stem", clip.stems), ("without", pairs.without)):
            sounds += [own.sound(label, wave, rate, word) for word, wave in zip(item.instruments, waves, strict=True)]
        write(self.folder, item.id, sounds)


def together(model: BandModel, item: BandItem, prompts: Sequence[str], seeds: Sequence[int]) -> Generated:
    """Sounds of several prompts from the item's start, in as few passes as memory holds."""

    def made(part: slice) -> Generated:
        start = start_of(model, item)
        if start is not None:
            start = Start(start.mel.expand(len(seeds[part]), -1, -1), start.strength)
        return model.generate(model.encode(list(prompts[part])), list(seeds[part]), start)

    with torch.inference_mode():
        found = list(in_passes(made, len(prompts), len(prompts)))
    return Generated(torch.cat([each.audio for each in found]), torch.cat([each.mel for each in found]))


def page_of(item: BandItem, pairs: Pairs, model: BandModel) -> dict[str, Any]:
    """What the page shows of an item beside its arrays: masks as packed bits, differences as bytes, all in base64."""
    peaks = np.maximum(pairs.difference.max((1, 2), keepdims=True), 1e-12)
    levels = np.round(255 * pairs.difference / peaks).astype(np.uint8)
    return {
        "frame_rate": model.frame_rate,
        "has_frequency": model.has_frequency,
        "shape": list(item.mel.shape),
        "truth": {word: _text(np.packbits(cells)) for word, cells in zip(item.instruments, pairs.truth, strict=True)},
        "density": {word: float(cells.mean()) for word, cells in zip(item.instruments, pairs.truth, strict=True)},
        "swap": {word: _text(cells) for word, cells in zip(item.instruments, levels, strict=True)},
    }


def _text(array: NDArray[np.uint8]) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")


def _mel(audio: NDArray[np.float32], model: BandModel) -> NDArray[np.float32]:
    """Log-mel spectrogram [M, T] of audio [S]."""
    with torch.inference_mode():
        mel = model.mel(torch.from_numpy(audio[None]).to(model.device))[0]
    return np.ascontiguousarray(mel.float().cpu().numpy())


def _waves(made: Generated) -> NDArray[np.float32]:
    return np.ascontiguousarray(made.audio.float().cpu().numpy())
