"""Items of a speech task, and the metrics of speech maps."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from earwitness.datasets import SpeechRecord
from earwitness.exhibits import speech as shown
from earwitness.exhibits.manifest import leave
from earwitness.exhibits.writing import DRAWN, ItemExhibits
from earwitness.metrics.arrays import UndefinedError
from earwitness.metrics.responses.speech import (
    PREFIX,
    DeletionBleu,
    DeletionErrors,
    FrameMeans,
    FramePeaks,
    InsertionBleu,
    InsertionErrors,
    PrefixCells,
    PrefixProbabilities,
    PrefixTellers,
    SpectrogramCells,
    TokenProbabilities,
    TrainingDistances,
)
from earwitness.scoring import loading
from earwitness.scoring.certificates import certified, read_certificate
from earwitness.scoring.columns import choices, read_columns
from earwitness.scoring.evaluate import evaluate
from earwitness.scoring.items import Items, records_of
from earwitness.scoring.speech.curves import Curves
from earwitness.scoring.speech.intervals import inside, tellers
from earwitness.scoring.speech.originals import SpeechOriginals
from earwitness.scoring.speech.responses import SpeechRespondent
from earwitness.scoring.speech.training import TrainingSpeech, marginal_of, read_training
from earwitness.scoring.speech.transcripts import Comparison

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from earwitness.exhibits.manifest import Exhibit
    from earwitness.metrics import Response
    from earwitness.metrics.responses.speech import Transcripts
    from earwitness.scoring import Setting, Value
    from earwitness.scoring.columns import Column
    from earwitness.tracks.speech import SpeechItem, SpeechMap, SpeechModel


class SpeechScoring(Items[SpeechRecord, "SpeechItem"]):
    """Items of a speech task, and the metrics of speech maps."""

    def __init__(self, setting: Setting) -> None:
        records = records_of(setting, SpeechRecord)
        self.metrics = read_columns(setting.task)
        self.comparison = choices(setting.task, Comparison)
        self.originals = SpeechOriginals(setting, records)
        super().__init__(setting, records, self.originals)

    @cached_property
    def model(self) -> SpeechModel:
        """The trusted copy of the model."""
        return cast("SpeechModel", loading.load_model(self.setting.task, self.setting.device))

    @cached_property
    def respondent(self) -> SpeechRespondent:
        """The model, asked about perturbed utterances."""
        return SpeechRespondent(self.model)

    @cached_property
    def training(self) -> TrainingSpeech:
        """Training speech; where none is stored with the task, the mel bins' values are those of its first items."""
        stored = read_training(self.setting.task)
        if stored is not None:
            return stored
        items, _ = self.originals.items(0, lambda: self.model)
        return TrainingSpeech(marginal_of([item.features for item in items]))

    @cached_property
    def certificate(self) -> dict[str, Any]:
        """What is certified of the task's truth."""
        return read_certificate(self.setting.task)

    @cached_property
    def mean_words(self) -> float:
        """Mean number of words (of characters, where they are counted) of the references."""
        return float(np.mean([len(self.comparison.words_of(record.reference)) for record in self.records]))

    def score(self, pairs: Sequence[tuple[SpeechItem, SpeechMap]], exhibits: Path | None = None) -> list[list[Value]]:
        """Values of every metric of the card for each pair; the same pairs give the same bits.

        Leaves under `exhibits`, where given, what `earwitness.exhibits.speech` says.
        """
        columns = [(column, self.originals.seeds[0]) for column in self.metrics]
        found = []
        for item, explanation in pairs:
            curves = self.curves(item, explanation)
            found += evaluate([(item, explanation)], columns, partial(self._respond, curves))
            if exhibits is not None:
                leave(exhibits, item.id, partial(self._exhibits, exhibits, curves))
        return found

    def curves(self, item: SpeechItem, explanation: SpeechMap) -> Curves:
        """What the model answers as an explanation's cells go."""
        key = self.setting.task.seed_key
        return Curves(self.respondent, self.training, key, item, explanation, self.comparison)

    def _exhibits(self, folder: Path, curves: Curves) -> Iterator[Exhibit]:
        item = curves.item.id
        place, record = ItemExhibits(folder, item), self.record(item)
        sound = record.audio(self.model.sample_rate) if self.is_among_first(item, DRAWN) else None
        return shown.exhibits(place, curves, self.metrics, self.comparison, record.reference, sound)

    def _respond(
        self, curves: Curves, pairs: Sequence[tuple[SpeechItem, SpeechMap]]
    ) -> Callable[[int, Column, int], float]:
        return lambda position, column, seed: column.value(*self.arrays(column.response, curves))

    def arrays(self, response: Response, curves: Curves) -> tuple[Any, ...]:
        """Arrays of a response; raises UndefinedError where the item has none."""
        explanation = curves.explanation
        match response:
            case DeletionErrors() | InsertionErrors():
                wanted = self.comparison.words_of(self._wanted(response, curves))
                transcripts = curves.transcripts(response.fill, response.insertion)
                counts = [self.comparison.errors(wanted, self.comparison.words_of(text)) for text in transcripts]
                return counts, len(wanted), self.mean_words, curves.shares
            case DeletionBleu() | InsertionBleu():
                reference = self._wanted(response, curves)
                transcripts = curves.transcripts(response.fill, response.insertion)
                return [self.comparison.bleu(reference, text) for text in transcripts], curves.shares
            case TokenProbabilities():
                return curves.probabilities(response.fill), curves.shares
            case PrefixProbabilities():
                return (curves.prefixes(),)
            case TrainingDistances():
                distances = curves.distances(response.fill)
                if distances is None:
                    raise UndefinedError("no training speech is stored with this task to measure a distance from")
                return distances, self.training.typical, curves.shares
            case SpectrogramCells():
                return (explanation.spectrogram,)
            case PrefixCells():
                return (explanation.prefix,)
            case PrefixTellers():
                return explanation.prefix, self._told(curves.item)
            case FrameMeans():
                return explanation.spectrogram.astype(np.float64).mean(2), self._said(curves.item, response.level)
            case FramePeaks():
                return explanation.spectrogram.astype(np.float64).max(2), self._said(curves.item, response.level)
        raise NotImplementedError(f"the speech track's scoring has no response {type(response).__name__}")

    def _stands(self, role: str) -> bool:
        """Whether a role is certified, or is of recordings and no intervention was tried on it.

        What a made world says is used where its model goes by it. When the words of a recording are said is known
        whatever a model goes by: it says of a map whether it is plausible, and no more.
        """
        if certified(self.certificate, role):
            return True
        dataset = loading.adapter("datasets", self.setting.task.card.dataset.adapter, self.setting.task)
        return not dataset.says("MADE") and role not in self.certificate.get("roles", {})

    def _said(self, item: SpeechItem, level: str) -> NDArray[np.bool_]:
        """[O, T]: frames in which an item's words are said; raises UndefinedError where that is not known."""
        if not self._stands(level):
            raise UndefinedError(f"intervals of the level {level} are not certified on this model")
        inside = self.inside(item, level)
        if inside is None:
            raise UndefinedError("when the words of this item are said is not known")
        return inside

    def _told(self, item: SpeechItem) -> NDArray[np.bool_]:
        """[O, O]: earlier tokens that covered words agree with; raises UndefinedError where that is not known."""
        if not self._stands(PREFIX):
            raise UndefinedError("that earlier words tell later ones is not certified on this model")
        found = self.tellers(item)
        if found is None:
            raise UndefinedError("which earlier words tell the words of this item is not known")
        return found

    def tellers(self, item: SpeechItem) -> NDArray[np.bool_] | None:
        """[O, O]: earlier tokens that covered words agree with (`intervals.tellers`); None where that is not known."""
        return tellers(self.record(item.id), item, self.comparison)

    def inside(self, item: SpeechItem, level: str) -> NDArray[np.bool_] | None:
        """[O, T]: frames in which an item's words are said (see `intervals.inside`); None where that is not known."""
        return inside(self.record(item.id), item, self.model.frame_rate, level, self.comparison)

    def _wanted(self, response: Transcripts, curves: Curves) -> str:
        return curves.item.text if response.against == "hypothesis" else self.record(curves.item.id).reference


def open_scoring(setting: Setting) -> SpeechScoring:
    """Scoring of a speech task; raises EarwitnessError where the dataset or the card cannot be used."""
    return SpeechScoring(setting)
