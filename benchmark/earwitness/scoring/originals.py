"""Originals: the items that are explained, made once with the trusted model, in chunks that are kept on disk."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

import torch

from earwitness.errors import ModelError
from earwitness.results.task_hashes import TaskHash
from earwitness.scoring import Problem
from earwitness.scoring.files import read_arrays, write_arrays
from earwitness.seeds import derive

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from earwitness.scoring import Setting
    from earwitness.tracks import Item

CHUNK = 16
"""Items that are made in one batch: fixed, so that an item depends on no other setting."""


class Record(Protocol):
    """One entry of a dataset."""

    @property
    def id(self) -> str:
        """Name, unique in its dataset."""

    @property
    def cluster(self) -> str:
        """Records of one cluster are not independent."""


RecordT = TypeVar("RecordT", bound=Record)
ItemT = TypeVar("ItemT", bound="Item")


def require_finite_answer(item: str, what: str, answer: Tensor) -> None:
    """Raise ModelError where what a model answers for an item is NaN or infinite: no explainer is to blame for it."""
    bad = answer.numel() - int(torch.isfinite(answer).sum())
    if bad:
        raise ModelError(
            f"the model gives {what} that are no finite numbers ({bad} of {answer.numel()}, item {item}): its "
            "weights or parameters are no use"
        )


class Originals(ABC, Generic[RecordT, ItemT]):
    """The items of a setting's records, in chunks on disk."""

    item: ClassVar[Any]
    """Type of the items."""

    def __init__(self, setting: Setting, records: Sequence[RecordT]) -> None:
        task = setting.task
        self.folder: Path = setting.cache / TaskHash(task.hash, setting.seed, setting.fresh).originals
        self.seeds = tuple(seed + setting.seed for seed in task.card.generation_seeds)
        self.seed_key = task.seed_key
        self._explainer_seed = setting.seed
        self._records = records

    @abstractmethod
    def make(self, records: Sequence[RecordT], model: Any) -> tuple[list[ItemT], list[Problem]]:
        """Items of some records, and those that cannot be explained; leaves sounds to listen to in `folder`."""

    def page(self, records: Sequence[RecordT], model: Any) -> dict[str, dict[str, Any]]:
        """What the page shows of records beside their items, by item id; no explainer sees it."""
        return {}

    def explainer_seed(self, item: str, number: int = 0) -> int:
        """Seed that an explainer is handed with an item, of that number."""
        return derive(self.seed_key, item, "explainer", self._explainer_seed + number)

    def seeded(self, item: ItemT, number: int) -> ItemT:
        """The item with the explainer seed of that number in place of the first."""
        return replace(item, explainer_seed=self.explainer_seed(item.id, number))  # type: ignore[type-var]

    def chunk_of(self, index: int) -> int:
        """Number of the chunk that holds the record of this index."""
        return index // CHUNK

    def items(self, chunk: int, model: Callable[[], Any]) -> tuple[list[ItemT], list[Problem]]:
        """Items of a chunk and its records that cannot be explained; `model` is called if they are not on disk yet."""
        path = self.folder / f"items-{chunk:04d}.safetensors"
        found = read_arrays(path)
        if found is not None:
            return self._unpack(*found)
        records, made = self._records[chunk * CHUNK : (chunk + 1) * CHUNK], model()
        items, problems = self.make(records, made)
        arrays = {f"{item.id}/{name}": array for item in items for name, array in item.arrays().items()}
        fields = {
            "items": [item.fields() for item in items],
            "problems": [[problem.item, problem.reason] for problem in problems],
            "page": self.page(records, made),
        }
        write_arrays(path, arrays, fields)
        return items, problems

    def _unpack(self, arrays: dict[str, NDArray[Any]], fields: dict[str, Any]) -> tuple[list[ItemT], list[Problem]]:
        own: dict[str, dict[str, np.ndarray]] = {}
        for key, array in arrays.items():
            item, _, name = key.rpartition("/")
            own.setdefault(item, {})[name] = array
        items = [self.item.build(described, own[described["id"]]) for described in fields["items"]]
        return items, [Problem(*problem) for problem in fields["problems"]]
