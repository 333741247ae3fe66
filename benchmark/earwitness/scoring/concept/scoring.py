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
from earwitness.metrics.responses.concept import (
    EVERY,
    AllFeatures,
    ClipFeatures,
    FactorResponse,
    HeldOutFeatures,
    MovedFactors,
    RebuiltLatents,
    TracedProbe,
    TracedProbeAndSound,
    TwoFits,
)
from earwitness.scoring import loading
from earwitness.scoring.certificates import read_certificate
from earwitness.scoring.columns import of_response, read_columns
from earwitness.scoring.concept.features import Features
from earwitness.scoring.concept.originals import ConceptOriginals
from earwitness.scoring.concept.steering import Steering
from earwitness.scoring.concept.tracing import Tracing, traced_probe
from earwitness.scoring.evaluate import evaluate
from earwitness.scoring.items import Items, records_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from earwitness.exhibits.manifest import Exhibit
    from earwitness.metrics import Response
    from earwitness.scoring import Setting, Value
    from earwitness.scoring.columns import Column
    from earwitness.scoring.concept.held_out import HeldOut
    from earwitness.tracks.concept import ConceptItem, ConceptModel, Dictionaries


class ConceptScoring(Items[ConceptRecord, "ConceptItem"]):
    """Items of a concept task, and the metrics of dictionaries."""

    def __init__(self, setting: Setting) -> None:
        records = records_of(setting, ConceptRecord)
        self.metrics = read_columns(setting.task)
        self.originals = ConceptOriginals(setting, records)
        super().__init__(setting, records, self.originals)
        names = {name for record in records for name in record.train.factors}
        for column in of_response(self.metrics, FactorResponse):
            if names and column.response.factor not in {EVERY, *names}:
                raise InvalidCardError(
                    f"{setting.task.folder / 'task.toml'}: metric {column.id}: the dataset has no factor "
                    f"{column.response.factor!r}; factors: {', '.join(sorted(names))}"
                )

    @cached_property
    def model(self) -> ConceptModel:
        """The trusted copy of the model."""
        return cast("ConceptModel", loading.load_model(self.setting.task, self.setting.device))

    @cached_property
    def steering(self) -> Steering:
        """The model, with the estimators that the dataset names."""
        dataset = loading.adapter("datasets", self.setting.task.card.dataset.adapter, self.setting.task)
        return Steering(self.model, dataset.says("ESTIMATORS", {}))

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
            held_out = self.originals.held_out(self.chunk_of(item.id), self.model)[item.id]
            fits = [Features(item, held_out, dictionary) for dictionary in explanation.fitted]
            cells = [(column, self.originals.seeds[0]) for column in self.metrics]
            found += evaluate([(item, explanation)], cells, partial(self._respond, fits, held_out))
            if exhibits is not None:
                leave(exhibits, item.id, partial(self._exhibits, exhibits, fits[0], held_out))
        return found

    def _exhibits(self, folder: Path, features: Features, held_out: HeldOut) -> Iterator[Exhibit]:
        item, listening = features.item, None
        if self.is_among_first(item, shown.LISTENED):
            headline = {metric.id for metric in self.setting.task.card.metrics if metric.headline}
            listening = shown.Listening(
                self.steering,
                {name: shown.steered_by(self.metrics, headline, name) for name in held_out.names},
                lambda: self.record(item).test.audio(self.model.sample_rate),
                self.originals.folder,
            )
        return shown.exhibits(ItemExhibits(folder, item), features, held_out, self.tracing, listening)

    def _respond(
        self, fits: list[Features], held_out: HeldOut, pairs: Sequence[tuple[ConceptItem, Dictionaries]]
    ) -> Callable[[int, Column, int], float]:
        return lambda position, column, seed: self._number(fits, held_out, column)

    def _number(self, fits: list[Features], held_out: HeldOut, column: Column) -> float:
        """A metric's value: the mean over the factors that its response is asked of."""
        response = column.response
        factors = factors_of(response, held_out) if isinstance(response, FactorResponse) else [-1]
        return float(np.mean([column.value(*self._arrays(response, factor, fits, held_out)) for factor in factors]))

    def _arrays(self, response: Response, factor: int, fits: list[Features], held_out: HeldOut) -> tuple[Any, ...]:
        """Arrays of a response, of the factor in that place; raises UndefinedError where the item has none.

        Probes and traces are of the first fit. How far factors moved is heard in the sound itself, whether they were or
        not in what it was decoded from; the one that is steered must be certified to be heard.
        """
        first = fits[0]
        match response:
            case ClipFeatures():
                train, test = first.of_clips(response.pooling)
                return train, held_out.train[:, factor], test, held_out.test[:, factor]
            case MovedFactors():
                self._require_heard(held_out.names[factor])
                return self.steering.moved(first, held_out, factor, response.k), factor
            case TracedProbeAndSound():
                self._require_heard(held_out.names[factor])
                probe = traced_probe(first, held_out, factor)
                return probe, self.tracing.heard(first.item, held_out)[:, :, factor]
            case TracedProbe():
                return (traced_probe(first, held_out, factor),)
            case RebuiltLatents():
                return first.some_latents, first.rebuilt
            case HeldOutFeatures():
                return (first.frames,)
            case AllFeatures():
                return (first.seen,)
            case TwoFits():
                return first.frames, fits[1].frames
        raise NotImplementedError(f"the concept track's scoring has no response {type(response).__name__}")

    @cached_property
    def certificate(self) -> dict[str, Any]:
        """What is certified of the task's factors; empty where nothing was tried."""
        return read_certificate(self.setting.task)

    def _require_heard(self, name: str) -> None:
        """Raise UndefinedError where a factor is not certified to be heard in decoded clips."""
        roles = self.certificate.get("roles", {})
        if name in roles and not roles[name]["certified"]:
            raise UndefinedError(f"not certified to be heard in decoded clips: {name}")


def factors_of(response: FactorResponse, held_out: HeldOut) -> list[int]:
    """The factors that a response is asked of, by their place; raises UndefinedError where it has none here.

    With `correlated` training clips those are the two factors that move together in them; all other responses of
    factors need training clips in which all are independent.
    """
    correlated = isinstance(response, ClipFeatures) and response.training == "correlated"
    if correlated != bool(held_out.correlated):
        why = "no factors move together" if correlated else f"{' and '.join(held_out.correlated)} move together"
        raise UndefinedError(f"{why} in the training clips of this item")
    names = held_out.correlated if correlated else held_out.names
    found = [held_out.column(name) for name in names if response.factor in {EVERY, name}]
    if not found:
        raise UndefinedError(f"{response.factor} is not among the factors that this metric reads here")
    return found


def open_scoring(setting: Setting) -> ConceptScoring:
    """Scoring of a concept task; raises EarwitnessError where the dataset or the card cannot be used."""
    return ConceptScoring(setting)
