"""Items of a prompt task, and the metrics of token maps."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, cast

from earwitness.errors import EarwitnessError
from earwitness.scoring import Value, loading
from earwitness.scoring.prompt.originals import Originals
from earwitness.scoring.prompt.readings import read_card
from earwitness.scoring.prompt.responses import Respondent
from earwitness.scoring.prompt.truth import read_truth
from earwitness.scoring.prompt.unit import Context, Unit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from earwitness.datasets import PromptRecord
    from earwitness.judges import Judge
    from earwitness.scoring import Problem, Setting
    from earwitness.scoring.prompt.truth import Truth
    from earwitness.task import Task
    from earwitness.tracks.prompt import PromptItem, PromptModel, TokenMap


class PromptScoring:
    """Items of a prompt task, and the metrics of token maps."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.records: list[PromptRecord] = loading.load_records(setting)
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


def load_model(task: Task, device: str) -> PromptModel:
    """A task's model; raises ModelError where it cannot be read."""
    return cast("PromptModel", loading.load_model(task, device))


def load_judges(task: Task, device: str) -> dict[str, Judge]:
    """The judges of a task that its metrics ask, by name; raises ModelError where one cannot be read."""
    return loading.load_judges(task, {reading.judge for reading in read_card(task)}, device)
