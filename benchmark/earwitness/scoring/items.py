"""What every track's scoring does with its records: hand out items, clusters and records by id."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Generic

from earwitness.errors import EarwitnessError, InvalidCardError
from earwitness.scoring import loading
from earwitness.scoring.originals import ItemT, Originals, RecordT
from earwitness.task import CARD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from earwitness.scoring import Problem, Setting


def records_of(setting: Setting, kind: type[RecordT]) -> list[RecordT]:
    """Records of the task's dataset; raises InvalidCardError where they are of another track than the task."""
    found: list[Any] = loading.load_records(setting)
    other = next((record for record in found if not isinstance(record, kind)), None)
    if other is not None:
        card = setting.task.card
        raise InvalidCardError(
            f"{setting.task.folder / CARD}: dataset.adapter: {card.dataset.adapter} gives {type(other).__name__}s, and "
            f"the {card.track} track explains {kind.__name__}s; choose a dataset of that track"
        )
    return found


class Items(Generic[RecordT, ItemT]):
    """Records of a setting with the items made of them: the part of a `Scoring` that no track differs in."""

    def __init__(self, setting: Setting, records: list[RecordT], originals: Originals[RecordT, ItemT]) -> None:
        self.setting = setting
        self.records = records
        self._originals = originals
        self._index = {record.id: index for index, record in enumerate(records)}

    @property
    @abstractmethod
    def model(self) -> Any:
        """The trusted copy of the model, loaded when it is first asked for."""

    def items(self, ids: Sequence[str] | None = None) -> tuple[list[ItemT], list[Problem]]:
        """Public items in the dataset's order, and those that cannot be explained; of the given ids, if given.

        Raises EarwitnessError on an id that the dataset does not hold.
        """
        wanted = [record.id for record in self.records[: self.setting.items]] if ids is None else list(ids)
        items: list[ItemT] = []
        problems: list[Problem] = []
        for chunk in sorted({self.chunk_of(item) for item in wanted}):
            some, bad = self._originals.items(chunk, lambda: self.model)
            items += some
            problems += bad
        chosen = set(wanted)
        return [item for item in items if item.id in chosen], [each for each in problems if each.item in chosen]

    def seeded(self, item: ItemT, seed: int) -> ItemT:
        """An item as an explainer gets it under the explainer seed of that number, 0 being that of `items`."""
        return self._originals.seeded(item, seed) if seed else item

    def clusters(self) -> dict[str, str]:
        """Cluster of each item, by item id, items with a problem included."""
        return {record.id: record.cluster for record in self.records[: self.setting.items]}

    def chunk_of(self, item: str) -> int:
        """Number of the chunk of originals that holds an item."""
        return self._originals.chunk_of(self._position(item))

    def is_among_first(self, item: str, count: int) -> bool:
        """Whether an item is one of the first so many of the dataset; raises EarwitnessError where there is none."""
        return self._position(item) < count

    def record(self, item: str) -> RecordT:
        """Record of an item; raises EarwitnessError where there is none."""
        return self.records[self._position(item)]

    def _position(self, item: str) -> int:
        if item not in self._index:
            some = f"{self.records[0].id} ... {self.records[-1].id}"
            raise EarwitnessError(f"task {self.setting.task.id} has no item {item!r}; its items: {some}")
        return self._index[item]
