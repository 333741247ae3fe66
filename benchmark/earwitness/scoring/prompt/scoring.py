"""Items of a prompt task, and the metrics of token maps."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, cast

from earwitness.datasets import PromptRecord
from earwitness.exhibits import prompt as shown
from earwitness.exhibits.manifest import leave
from earwitness.exhibits.writing import DRAWN, ItemExhibits
from earwitness.identity import digest
from earwitness.scoring import Value, loading
from earwitness.scoring.columns import read_columns
from earwitness.scoring.evaluate import evaluate
from earwitness.scoring.items import Items, records_of
from earwitness.scoring.measured import listening
from earwitness.scoring.prompt.batch import Batch, Context
from earwitness.scoring.prompt.originals import PromptOriginals
from earwitness.scoring.prompt.responses import PromptRespondent
from earwitness.scoring.prompt.truth import read_truth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from earwitness.exhibits.manifest import Exhibit
    from earwitness.judges import Judge
    from earwitness.scoring import Setting
    from earwitness.scoring.columns import Column
    from earwitness.scoring.prompt.truth import Truth
    from earwitness.task import Task
    from earwitness.tracks.prompt import PromptItem, PromptModel, TokenMap


class PromptScoring(Items[PromptRecord, "PromptItem"]):
    """Items of a prompt task, and the metrics of token maps."""

    def __init__(self, setting: Setting) -> None:
        records = records_of(setting, PromptRecord)
        self.metrics = read_columns(setting.task)
        self.originals = PromptOriginals(setting, records)
        super().__init__(setting, records, self.originals)

    @cached_property
    def model(self) -> PromptModel:
        """The trusted copy of the model."""
        return load_model(self.setting.task, self.setting.device)

    @cached_property
    def respondent(self) -> PromptRespondent:
        """The model with the judges that the card's metrics ask."""
        task, judges = self.setting.task, load_judges(self.setting.task, self.setting.device)
        name = digest([listening(task), sorted(judges), self.originals.seeds])
        return PromptRespondent(self.model, judges, name=name)

    @cached_property
    def stored(self) -> Truth:
        """Truth that is stored with the task."""
        return read_truth(self.setting.task)

    @cached_property
    def context(self) -> Context:
        """What every batch shares."""
        setting = self.setting
        stored = setting.fresh is None and setting.seed == 0
        reason = "" if stored else "truth is stored for the card's items and seed 0 alone"
        return Context(self.respondent, self.originals, self.stored, reason, setting.task.seed_key)

    @property
    def columns(self) -> list[tuple[Column, int]]:
        """Each metric of the card with each generation seed that it has a value under."""
        seeds = self.originals.seeds
        return [(column, seed) for column in self.metrics for seed in column.seeds(seeds)]

    def score(self, pairs: Sequence[tuple[PromptItem, TokenMap]], exhibits: Path | None = None) -> list[list[Value]]:
        """Values of every metric of the card for each pair; the same pairs in the same order give the same bits.

        Leaves under `exhibits`, where given, what `earwitness.exhibits.prompt` says.
        """
        if not pairs:
            return []
        chunks = {self.chunk_of(item.id) for item, _ in pairs}
        asked = any(column.judge for column in self.metrics)
        heard = {
            item: answers
            for chunk in sorted(chunks if asked else ())
            for item, answers in self.originals.judge_answers(chunk, self.respondent).items()
        }
        places: dict[str, tuple[Batch, int]] = {}

        def respond(some: Sequence[tuple[PromptItem, TokenMap]]) -> Callable[[int, Column, int], float]:
            batch = Batch(self.context, self.metrics, some, [self.record(item.id) for item, _ in some], heard)
            batch.ask(for_people=exhibits is not None)
            places.update({item.id: (batch, position) for position, (item, _) in enumerate(some)})
            return batch.number

        values = evaluate(pairs, self.columns, respond)
        if exhibits is not None:
            for item, explanation in pairs:
                batch, position = places.get(item.id, (None, 0))
                leave(exhibits, item.id, partial(self._exhibits, exhibits, (item, explanation), batch, position))
        return values

    def _exhibits(
        self, folder: Path, pair: tuple[PromptItem, TokenMap], batch: Batch | None, position: int
    ) -> Iterator[Exhibit]:
        """Exhibits of what was asked; without its sounds where nothing could be, which the item's rows say."""
        place = ItemExhibits(folder, pair[0].id)
        if batch is not None:
            yield from shown.sounds(place, batch.for_people(position), self.model.sample_rate)
        if self.is_among_first(place.item, DRAWN):
            yield shown.picture(place, *pair)


def open_scoring(setting: Setting) -> PromptScoring:
    """Scoring of a prompt task; raises EarwitnessError where the dataset or the card cannot be used."""
    return PromptScoring(setting)


def load_model(task: Task, device: str) -> PromptModel:
    """A task's model; raises ModelError where it cannot be read."""
    return cast("PromptModel", loading.load_model(task, device))


def load_judges(task: Task, device: str) -> dict[str, Judge]:
    """The judges of a task that its metrics ask, by name; raises ModelError where one cannot be read."""
    return loading.load_judges(task, {column.judge for column in read_columns(task)}, device)
