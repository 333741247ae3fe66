"""Scoring of the prompt track: which responses its metrics read, asked of model and judges once, shared by all."""

from __future__ import annotations

import inspect
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from earwitness.errors import EarwitnessError, InvalidCardError
from earwitness.scoring import Value
from earwitness.scoring.originals import Originals
from earwitness.scoring.readings import read_card
from earwitness.scoring.responses import Respondent
from earwitness.scoring.truth import read_truth
from earwitness.scoring.unit import Context, Unit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from earwitness.datasets import PromptRecord
    from earwitness.judges import Judge
    from earwitness.scoring import Problem, Setting
    from earwitness.scoring.truth import Truth
    from earwitness.task import Task
    from earwitness.tracks.prompt import PromptItem, PromptModel, TokenMap


class PromptScoring:
    """Items of a prompt task, and the metrics of token maps."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.records = load_records(setting)
        self.readings = read_card(setting.task)
        self.originals = Originals(setting, self.records)
        self._index = {record.id: index for index, record in enumerate(self.records)}

    @cached_property
    def model(self) -> PromptModel:
        """The trusted copy of the model."""
        return load_model(self.setting.task, self.setting.device)

    @cached_property
    def respondent(self) -> Respondent:
        """The model with the judges that the card's metrics ask."""
        return Respondent(self.model, load_judges(self.setting.task, self.setting.device))

    @cached_property
    def stored(self) -> Truth:
        """Truth that is stored with the task."""
        return read_truth(self.setting.task)

    @cached_property
    def context(self) -> Context:
        """What every unit shares."""
        setting = self.setting
        stored = setting.fresh is None and setting.seed == 0
        reason = "" if stored else "truth is stored for the card's items and seed 0 alone"
        return Context(self.respondent, self.originals, self.stored, reason, setting.task.seed_key)

    def items(self, ids: Sequence[str] | None = None) -> tuple[list[PromptItem], list[Problem]]:
        """Public items in the dataset's order, and those that cannot be explained; of the given ids, if given.

        Raises EarwitnessError on an id that the dataset does not hold.
        """
        limit = self.setting.items
        wanted = [record.id for record in self.records[:limit]] if ids is None else list(ids)
        chunks = sorted({self.chunk_of(item) for item in wanted})
        items: list[PromptItem] = []
        problems: list[Problem] = []
        for chunk in chunks:
            some, bad = self.originals.items(chunk, lambda: self.model)
            items += some
            problems += bad
        return (
            [item for item in items if item.id in set(wanted)],
            [problem for problem in problems if problem.item in set(wanted)],
        )

    def clusters(self) -> dict[str, str]:
        """Cluster of each item, by item id, items with a problem included."""
        return {record.id: record.cluster for record in self.records[: self.setting.items]}

    def score(self, pairs: Sequence[tuple[PromptItem, TokenMap]], listen: Path | None = None) -> list[list[Value]]:
        """Values of every metric of the card for each pair; the same pairs in the same order give the same bits.

        Leaves `<item>.kept.ogg` and `<item>.removed.ogg` under `listen`, where given.
        """
        if not pairs:
            return []
        records = [self.record(item.id) for item, _ in pairs]
        chunks = {self.chunk_of(item.id) for item, _ in pairs}
        asked = any(reading.judge for reading in self.readings)
        heard = {
            item: answers
            for chunk in sorted(chunks if asked else ())
            for item, answers in self.originals.heard(chunk, self.respondent).items()
        }
        unit = Unit(self.context, self.readings, pairs, records, heard)
        unit.ask(listen)
        return [
            [
                value
                for reading in self.readings
                for seed in (self.originals.seeds if reading.repeated else self.originals.seeds[:1])
                for value in (unit.value(reading, position, seed),)
            ]
            for position in range(len(pairs))
        ]

    def chunk_of(self, item: str) -> int:
        """Number of the chunk of originals that holds an item."""
        return self.originals.chunk_of(self._position(item))

    def record(self, item: str) -> PromptRecord:
        """Record of an item; raises EarwitnessError where there is none."""
        return self.records[self._position(item)]

    def _position(self, item: str) -> int:
        if item not in self._index:
            raise EarwitnessError(f"task {self.setting.task.id} has no item {item!r}; its items: {self._some_ids()}")
        return self._index[item]

    def _some_ids(self) -> str:
        return f"{self.records[0].id} ... {self.records[-1].id}"


def open_scoring(setting: Setting) -> PromptScoring:
    """Scoring of a prompt task; raises EarwitnessError where the dataset or the card cannot be used."""
    return PromptScoring(setting)


def load_records(setting: Setting) -> list[PromptRecord]:
    """Records of the task's dataset, of a fresh draw where the setting asks for one.

    Raises EarwitnessError where the dataset cannot be read, repeats an id, or is no world that draws afresh.
    """
    card = setting.task.card.dataset
    if setting.fresh is not None and card.source:
        raise EarwitnessError(f"task {setting.task.id}: --fresh draws from a made world, and {card.source} is none")
    adapter = _adapter("earwitness.datasets", card.adapter, setting.task)
    accepted = inspect.signature(adapter.load).parameters
    revision = {"revision": card.revision} if "revision" in accepted else {}
    seed = card.seed if setting.fresh is None else setting.fresh
    records = adapter.load(card.source, split=card.split, items=card.items, seed=seed, **revision, **card.parameters)
    found = list(records)
    ids = [record.id for record in found]
    doubles = sorted({item for item in ids if ids.count(item) > 1})
    if doubles:
        raise EarwitnessError(f"task {setting.task.id}: items with the same id: {', '.join(doubles[:5])}")
    return found


def load_model(task: Task, device: str) -> PromptModel:
    """A task's model; raises ModelError where it cannot be read."""
    card = task.card.model
    adapter = _adapter("earwitness.models", card.adapter, task)
    model = adapter.from_pretrained(task.source(card.source), revision=card.revision, device=device, **card.parameters)
    return cast("PromptModel", model)


def load_judges(task: Task, device: str) -> dict[str, Judge]:
    """The judges of a task that its metrics ask, by name; raises ModelError where one cannot be read."""
    asked = {reading.judge for reading in read_card(task)}
    return {
        card.name: _adapter("earwitness.judges", card.adapter, task).load(
            task.source(card.source), revision=card.revision, device=device
        )
        for card in task.card.judges
        if card.name in asked
    }


def _adapter(package: str, name: str, task: Task) -> Any:
    try:
        return import_module(f"{package}.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"{package}.{name}":
            raise
        raise InvalidCardError(f"{task.folder / 'task.toml'}: {package} has no adapter {name!r}") from error
