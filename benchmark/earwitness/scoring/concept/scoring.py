"""Items of a concept task, and the metrics of dictionaries."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from earwitness.datasets import ConceptRecord
from earwitness.errors import InvalidCardError
from earwitness.exhibits import concept as shown
from earwitness.exhibits.manifest import leave
from earwitness.exhibits.writing import ItemExhibits
from earwitness.metrics.arrays import UndefinedError
from earwitness.scoring import loading
from earwitness.scoring.certificates import read_certificate
from earwitness.scoring.concept.features import Features
from earwitness.scoring.concept.originals import ConceptOriginals
from earwitness.scoring.concept.readings import EVERY, PROBES, TRACES, Reading, read_card
from earwitness.scoring.concept.steering import Steering
from earwitness.scoring.concept.tracing import Tracing, told
from earwitness.scoring.evaluate import evaluate
from earwitness.scoring.items import Items, records_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from earwitness.exhibits.manifest import Exhibit
    from earwitness.scoring import Setting, Value
    from earwitness.scoring.concept.known import Known
    from earwitness.tracks.concept import ConceptItem, ConceptModel, Dictionaries


class ConceptScoring(Items[ConceptRecord, "ConceptItem"]):
    """Items of a concept task, and the metrics of dictionaries."""

    def __init__(self, setting: Setting) -> None:
        records = records_of(setting, ConceptRecord)
        self.readings = read_card(setting.task)
        self.originals = ConceptOriginals(setting, records)
        super().__init__(setting, records, self.originals)
        names = {name for record in records for name in record.train.factors}
        for reading in self.readings:
            if names and reading.factor not in {EVERY, *names}:
                raise InvalidCardError(
                    f"{setting.task.folder / 'task.toml'}: metric {reading.id}: the dataset has no factor "
                    f"{reading.factor!r}; factors: {', '.join(sorted(names))}"
                )

    @cached_property
    def model(self) -> ConceptModel:
        """The trusted copy of the model."""
        return cast("ConceptModel", loading.load_model(self.setting.task, self.setting.device))

    @cached_property
    def steering(self) -> Steering:
        """The model, with the estimators that the dataset names."""
        dataset = loading.adapter("earwitness.datasets", self.setting.task.card.dataset.adapter, self.setting.task)
        return Steering(self.model, getattr(dataset, "ESTIMATORS", {}))

    @cached_property
    def tracing(self) -> Tracing:
        """What the estimators hear at each step of traced generations."""
        return Tracing(self.model, self.steering.estimators, self.originals.folder)

    def score(
        self, pairs: Sequence[tuple[ConceptItem, Dictionaries]], exhibits: Path | None = None
    ) -> list[list[Value]]:
        """Values of every metric of the card for each pair; the same pairs give the same bits.

        Leaves under `exhibits`, where given, what `earwitness.exhibits.concept` says.
        """
        found = []
        for item, explanation in pairs:
            known = self.originals.known(self.chunk_of(item.id), self.model)[item.id]
            fits = [Features(item, known, dictionary) for dictionary in explanation.fitted]
            cells = [(reading, self.originals.seeds[0]) for reading in self.readings]
            found += evaluate([(item, explanation)], cells, partial(self._respond, fits, known))
            if exhibits is not None:
                leave(exhibits, item.id, partial(self._exhibits, exhibits, fits[0], known))
        return found

    def _exhibits(self, folder: Path, features: Features, known: Known) -> Iterator[Exhibit]:
        item, listening = features.item, None
        if self.is_among_first(item, shown.LISTENED):
            headline = {metric.id for metric in self.setting.task.card.metrics if metric.headline}
            listening = shown.Listening(
                self.steering,
                {name: shown.steered_by(self.readings, headline, name) for name in known.names},
                lambda: self.record(item).test.audio(self.model.sample_rate),
                self.originals.folder,
            )
        return shown.exhibits(ItemExhibits(folder, item), features, known, self.tracing, listening)

    def _respond(
        self, fits: list[Features], known: Known, pairs: Sequence[tuple[ConceptItem, Dictionaries]]
    ) -> Callable[[int, Reading, int], float]:
        return lambda position, reading, seed: self._number(fits, known, reading)

    def _number(self, fits: list[Features], known: Known, reading: Reading) -> float:
        return float(np.mean([self._of(reading, column, fits, known) for column in columns(reading, known)]))

    def _of(self, reading: Reading, column: int, fits: list[Features], known: Known) -> float:
        return ARGUMENTS[reading.name](self, reading, column, fits, known)

    def _probe(self, reading: Reading, column: int, fits: list[Features], known: Known) -> float:
        """A probe of one factor, on the first fit."""
        clips = (fits[0].train_means, known.train[:, column], fits[0].test_means, known.test[:, column])
        more = {"sparse_probe_r2": (reading.k,), "probe_accuracy": (reading.classes,)}.get(reading.name, ())
        return float(reading.metric.function(*clips, *more))

    @cached_property
    def certificate(self) -> dict[str, Any]:
        """What is certified of the task's factors; empty where nothing was tried."""
        return read_certificate(self.setting.task)

    def _steer(self, reading: Reading, column: int, fits: list[Features], known: Known) -> float:
        """What steering one factor moves; that factor must be certified to be heard.

        How far the others moved is heard in the sound itself, whether they were or not in what it was decoded from.
        """
        self._require_heard(known.names[column : column + 1])
        return float(reading.metric.function(self.steering.moved(fits[0], known, column, reading.k), column))

    def _trace(self, reading: Reading, column: int, fits: list[Features], known: Known) -> float:
        """How a factor settles along the traced steps, by the first fit's probe."""
        return float(reading.metric.function(told(fits[0], known, column)))

    def _trace_error(self, reading: Reading, column: int, fits: list[Features], known: Known) -> float:
        """How far that is from how it settles in the sound, which the factor's estimator must be able to hear."""
        self._require_heard(known.names[column : column + 1])
        probe = told(fits[0], known, column)
        return float(reading.metric.function(probe, self.tracing.heard(fits[0].item, known)[:, :, column]))

    def _require_heard(self, names: Sequence[str]) -> None:
        """Raise UndefinedError where a factor is not certified to be heard in decoded clips."""
        roles = self.certificate.get("roles", {})
        deaf = [name for name in names if name in roles and not roles[name]["certified"]]
        if deaf:
            raise UndefinedError(f"not certified to be heard in decoded clips: {', '.join(deaf)}")


def columns(reading: Reading, known: Known) -> list[int]:
    """The factors that a metric is the mean over, by their place; raises UndefinedError where it has none here.

    `transfer_r2` reads training clips in which two factors move together, those two; the other metrics of factors read
    training clips in which all are independent.
    """
    if reading.name not in (*PROBES, *TRACES, "steer"):
        return [0]
    transfer = reading.name == "transfer_r2"
    if transfer != bool(known.correlated):
        told = "no factors move together" if transfer else f"{' and '.join(known.correlated)} move together"
        raise UndefinedError(f"{told} in the training clips of this item")
    names = known.correlated if transfer else known.names
    found = [known.column(name) for name in names if reading.factor in {EVERY, name}]
    if not found:
        raise UndefinedError(f"{reading.factor} is not among the factors that this metric reads here")
    return found


ARGUMENTS: dict[str, Callable[[ConceptScoring, Reading, int, list[Features], Known], float]] = {
    **dict.fromkeys(PROBES, ConceptScoring._probe),
    "steer": ConceptScoring._steer,
    "trace": ConceptScoring._trace,
    "trace_error": ConceptScoring._trace_error,
    "fvu": lambda self, reading, column, fits, known: reading.metric.function(fits[0].some_latents, fits[0].rebuilt),
    "l0": lambda self, reading, column, fits, known: reading.metric.function(fits[0].frames),
    "dead": lambda self, reading, column, fits, known: reading.metric.function(fits[0].seen),
    "stability": lambda self, reading, column, fits, known: reading.metric.function(fits[0].frames, fits[1].frames),
}
"""How each metric of the track gets its arguments."""


def open_scoring(setting: Setting) -> ConceptScoring:
    """Scoring of a concept task; raises EarwitnessError where the dataset or the card cannot be used."""
    return ConceptScoring(setting)
