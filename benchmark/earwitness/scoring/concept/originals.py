"""Originals of the concept track: latents to fit dictionaries on, and held-out clips that no explainer sees."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from earwitness.errors import InvalidItemError, ModelError
from earwitness.explaining.batches import in_passes
from earwitness.scoring import Problem
from earwitness.scoring.concept.held_out import HeldOut
from earwitness.scoring.files import read_arrays, write_arrays
from earwitness.scoring.originals import Originals, require_finite_answer
from earwitness.seeds import derive
from earwitness.tracks.concept import ConceptItem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from earwitness.datasets import ConceptRecord, Notes
    from earwitness.scoring import Setting
    from earwitness.tracks.concept import ConceptModel

BATCH = 4
"""Most clips that are encoded at once, fewer where they do not fit into memory.

Few, since what an autoencoder's first layers hold of sixteen is more than the allocator keeps: with them a small
Oobleck took 2.2 times as long.
"""
PROMPTS = 16
"""Most generations that are traced at once."""
FITS = 2
"""Seeds that each item asks a dictionary for."""
UNITS = {
    "pitch": "MIDI number",
    "loudness": "dB",
    "brightness": "octaves above 1 kHz",
    "attack": "log10 s",
    "low_share": "dB",
}
"""Of the factors that our estimators measure, whatever the dataset."""


class ConceptOriginals(Originals["ConceptRecord", ConceptItem]):
    """The latents that dictionaries are fitted on."""

    item = ConceptItem

    def __init__(self, setting: Setting, records: Sequence[ConceptRecord]) -> None:
        super().__init__(setting, records)
        self._seed = setting.seed
        self._held_out: dict[int, dict[str, HeldOut]] = {}

    def make(self, records: Sequence[ConceptRecord], model: ConceptModel) -> tuple[list[ConceptItem], list[Problem]]:
        """Items of some records, and those that cannot be used; leaves what no explainer sees of them in `folder`."""
        items, problems, held_out = [], [], {}
        for record in records:
            try:
                item, own = self._item(record, model)
            except InvalidItemError as error:
                problems.append(Problem(record.id, str(error)))
                continue
            items.append(item)
            held_out[item.id] = own
        if records:
            arrays = {f"{item}/{part}": array for item, own in held_out.items() for part, array in _arrays(own).items()}
            fields = {item: [own.names, own.correlated] for item, own in held_out.items()}
            write_arrays(self._path(self._chunk(records[0])), arrays, fields)
        return items, problems

    def page(self, records: Sequence[ConceptRecord], model: ConceptModel) -> dict[str, dict[str, Any]]:
        """What the page tells of each record."""
        return {record.id: page_of(record) for record in records}

    def held_out(self, chunk: int, model: ConceptModel) -> dict[str, HeldOut]:
        """What no explainer sees of the items of a chunk, by item id."""
        if chunk not in self._held_out:
            self.items(chunk, lambda: model)
            found = read_arrays(self._path(chunk))
            if found is None:
                # The items are on disk and what is known of them is not: both are made again, the same bit for bit.
                self.make([r for i, r in enumerate(self._records) if self.chunk_of(i) == chunk], model)
                found = read_arrays(self._path(chunk))
                assert found is not None
            arrays, fields = found
            self._held_out[chunk] = {
                item: HeldOut(tuple(names), tuple(pair), **_of_item(arrays, item))
                for item, (names, pair) in fields.items()
            }
        return self._held_out[chunk]

    def seeded(self, item: ConceptItem, number: int) -> ConceptItem:
        """The item with other seeds for its dictionaries."""
        return replace(item, explainer_seeds=self._seeds(item.id, number))

    def _seeds(self, item: str, number: int) -> tuple[int, ...]:
        return tuple(derive(self.seed_key, item, "explainer", self._seed + number, fit) for fit in range(FITS))

    def _path(self, chunk: int) -> Any:
        return self.folder / f"known-{chunk:04d}.safetensors"

    def _chunk(self, record: ConceptRecord) -> int:
        return self.chunk_of(next(i for i, other in enumerate(self._records) if other.id == record.id))

    def _item(self, record: ConceptRecord, model: ConceptModel) -> tuple[ConceptItem, HeldOut]:
        # Sounds first: a clip that cannot be read says so itself, and its factors are no numbers.
        train, test = encoded(record.train, model), encoded(record.test, model)
        for latents in (train, test):
            require_finite_answer(record.id, "latents", torch.from_numpy(latents))
        if set(record.train.factors) != set(record.test.factors):
            raise InvalidItemError("training clips and held-out clips have different factors")
        names = tuple(record.train.factors)
        item = ConceptItem(
            id=record.id,
            kind=str(model.kind),
            frame_rate=model.frame_rate,
            explainer_seeds=self._seeds(record.id, 0),
            train=train,
        )
        of_train, of_test = factors_of(record.train, names, len(train)), factors_of(record.test, names, len(test))
        return item, HeldOut(names, record.correlated, of_train, of_test, test, self._traced(record, model))

    def _traced(self, record: ConceptRecord, model: ConceptModel) -> NDArray[np.float32] | None:
        """Clean latents [B, T, F, D] of the generations of a record's prompts, each from a seed of its own.

        Raises ModelError where the model has no diffusion.
        """
        if not record.prompts:
            return None
        trajectories = getattr(model, "trajectories", None)
        if trajectories is None:
            raise ModelError(
                f"{record.id} has prompts to trace, and the task's model has no diffusion; name one that has in the "
                "task, or a dataset without prompts"
            )
        seeds = [derive(self.seed_key, record.id, "trace", self._seed, number) for number in range(len(record.prompts))]
        passes = in_passes(
            lambda part: trajectories(record.prompts[part], seeds[part]).float().cpu(), len(seeds), PROMPTS
        )
        return np.ascontiguousarray(torch.cat(list(passes)).numpy())


def page_of(record: ConceptRecord) -> dict[str, Any]:
    """What the page tells of an item beside what explainers get, as JSON types."""
    return {
        "factors": {name: UNITS.get(name, "") for name in record.train.factors},
        "estimated": list(record.estimated),
        "correlated": list(record.correlated),
        "clips": [len(next(iter(notes.factors.values()), ())) for notes in (record.train, record.test)],
    }


_ARRAYS = ("train", "test", "latents", "traced")


def _arrays(held_out: HeldOut) -> dict[str, NDArray[Any]]:
    """Arrays of what is known, by field; those that it has."""
    arrays = {part: getattr(held_out, part) for part in _ARRAYS}
    return {part: array for part, array in arrays.items() if array is not None}


def _of_item(arrays: dict[str, NDArray[Any]], item: str) -> dict[str, NDArray[Any]]:
    """Arrays of one item among those of a chunk, by field."""
    return {part: arrays[f"{item}/{part}"] for part in _ARRAYS if f"{item}/{part}" in arrays}


def factors_of(notes: Notes, names: tuple[str, ...], clips: int) -> NDArray[np.float64]:
    """[n, K] factors of clips; raises InvalidItemError where there are not as many, or one is no number."""
    factors = np.stack([np.asarray(notes.factors[name], dtype=np.float64) for name in names], 1)
    if len(factors) != clips:
        raise InvalidItemError(f"there are {clips} clips and {len(factors)} rows of factors")
    bad = [name for name, column in zip(names, factors.T, strict=True) if not np.isfinite(column).all()]
    if bad:
        raise InvalidItemError(f"factors are no numbers in some clips: {', '.join(bad)}")
    return factors


def encoded(notes: Notes, model: ConceptModel) -> NDArray[np.float32]:
    """Latents [n, F, D] of clips, of the model's kind; clips are as long as the longest, with silence at the end.

    Raises InvalidItemError, in one line, where a file is no use.
    """
    clips = notes.audio(model.sample_rate)
    longest = max(map(len, clips))
    audio = torch.from_numpy(np.stack([np.pad(clip, (0, longest - len(clip))) for clip in clips]).astype(np.float32))
    with torch.inference_mode():
        passes = in_passes(
            lambda part: model.encode(audio[part].to(model.device), model.kind).float().cpu(), len(audio), BATCH
        )
        return np.ascontiguousarray(torch.cat(list(passes)).numpy())
