"""Items of a band task, and the metrics of band maps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from earwitness.datasets import BandRecord
from earwitness.exhibits import band as shown
from earwitness.exhibits.manifest import leave
from earwitness.exhibits.writing import DRAWN, ItemExhibits
from earwitness.metrics.arrays import UndefinedError
from earwitness.metrics.band import top_cells, upper_half
from earwitness.metrics.responses.band import (
    Cells,
    ChosenCells,
    DeletedPresence,
    FreshPresence,
    SoundingCells,
    TimedCells,
    WordDifference,
)
from earwitness.scoring import loading
from earwitness.scoring.band.originals import BandOriginals
from earwitness.scoring.band.responses import BandRespondent
from earwitness.scoring.certificates import read_certificate
from earwitness.scoring.columns import of_response, read_columns
from earwitness.scoring.evaluate import evaluate
from earwitness.scoring.items import Items, records_of
from earwitness.seeds import derive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from earwitness.exhibits.manifest import Exhibit
    from earwitness.metrics.responses.band import BandResponse
    from earwitness.scoring import Setting, Value
    from earwitness.scoring.band.originals import Pairs
    from earwitness.scoring.columns import Column
    from earwitness.tracks.band import BandItem, BandMap, BandModel

INSTRUMENT, OTHERS, PLACE = "instrument", "others", "place"
"""Roles of the certificate that the truth of the stems needs."""


@dataclass(frozen=True)
class BandAnswers:
    """A map with what is known of its item and what the model and its judges answer to it."""

    maps: NDArray[np.float64]
    """[I, M, T] of the instrument words; alike in all bins where the model's attention has no frequency axis."""
    truth: NDArray[np.bool_]
    """[I, M, T]."""
    difference: NDArray[np.float64]
    """[I, M, T] what each word's removal changes, as coarse as the maps."""
    tie: NDArray[np.int64]
    """[M, T] order of equal cells, the same for every entrant."""
    before: dict[str, NDArray[np.float64]]
    """[I] presence of each instrument in the original, by judge."""
    fresh: dict[str, NDArray[np.float64]]
    """[I] and under fresh noise."""
    after: dict[tuple[str, int], NDArray[np.float64]]
    """[I, I] presences without each word's attention, by judge and by how much of it is taken, in per cent."""
    deleted: NDArray[np.float32] | None
    """[I, S] sounds without as much of each word's attention as the card's first deletion metric takes."""


class BandScoring(Items[BandRecord, "BandItem"]):
    """Items of a band task, and the metrics of band maps."""

    def __init__(self, setting: Setting) -> None:
        records = records_of(setting, BandRecord)
        self.metrics = read_columns(setting.task)
        self.originals = BandOriginals(setting, records)
        super().__init__(setting, records, self.originals)

    @cached_property
    def model(self) -> BandModel:
        """The trusted copy of the model."""
        return cast("BandModel", loading.load_model(self.setting.task, self.setting.device))

    @cached_property
    def respondent(self) -> BandRespondent:
        """The model with the judges that the card's metrics ask."""
        names = {column.judge for column in self.metrics if column.judge}
        return BandRespondent(self.model, loading.load_judges(self.setting.task, names, self.setting.device))

    @cached_property
    def certificate(self) -> dict[str, Any]:
        """What is certified of the task's truth; empty where nothing was tried."""
        return read_certificate(self.setting.task)

    def score(self, pairs: Sequence[tuple[BandItem, BandMap]], exhibits: Path | None = None) -> list[list[Value]]:
        """Values of every metric of the card for each pair; the same pairs in the same order give the same bits.

        Leaves under `exhibits`, where given, what `earwitness.exhibits.band` says: sounds without the word's attention
        in the top cells of its map, as many as the card's first deletion metric takes.
        """
        columns = [(column, self.originals.seeds[0]) for column in self.metrics]
        found = []
        for item, explanation in pairs:
            known = self.originals.pairs(self.chunk_of(item.id), self.model)[item.id]
            answers: list[BandAnswers] = []
            found += evaluate([(item, explanation)], columns, partial(self._respond, known, answers))
            if exhibits is not None:
                leave(exhibits, item.id, partial(self._exhibits, exhibits, item, answers))
        return found

    def _respond(
        self, known: Pairs, answers: list[BandAnswers], pairs: Sequence[tuple[BandItem, BandMap]]
    ) -> Callable[[int, Column, int], float]:
        """Ask about a pair; what is answered is appended to `answers`."""
        ((item, explanation),) = pairs
        asked = self._ask(item, known, explanation.instruments(item))
        answers.append(asked)
        return lambda position, column, seed: column.value(*self._arrays(column.response, asked, item))

    def _exhibits(self, folder: Path, item: BandItem, answers: Sequence[BandAnswers]) -> Iterator[Exhibit]:
        """Exhibits of what was answered; none where nothing was, which the item's rows say."""
        place = ItemExhibits(folder, item.id)
        for asked in answers:
            if asked.deleted is not None:
                yield from shown.sounds(place, item, asked.deleted, self.model.sample_rate)
            if self.is_among_first(item.id, DRAWN):
                yield from shown.pictures(place, item, asked.maps)

    def _ask(self, item: BandItem, known: Pairs, maps: NDArray[np.float64]) -> BandAnswers:
        difference = known.difference.astype(np.float64)
        if not self.model.has_frequency:
            maps, difference = over_bins(maps), over_bins(difference)
        tie = tie_order(self.setting.task.seed_key, item, self.model.has_frequency)
        hear, judges = self.respondent.presence, self.respondent.judges
        before = {name: hear(item, known.original[None], name)[0] for name in judges}
        fresh = {name: hear(item, known.fresh[None], name)[0] for name in judges}
        after: dict[tuple[str, int], NDArray[np.float64]] = {}
        deletions = self._deletions(item, maps, tie)
        for top, sounds in deletions.items():
            after |= {(name, top): hear(item, sounds, name) for name in judges}
        return BandAnswers(
            maps, known.truth, difference, tie, before, fresh, after, next(iter(deletions.values()), None)
        )

    def _deletions(
        self, item: BandItem, maps: NDArray[np.float64], tie: NDArray[np.int64]
    ) -> dict[int, NDArray[np.float32]]:
        """Sounds [I, S] without each word's attention in its map's top cells, by how many of them, in per cent."""
        tops, count = self._tops(), len(maps)
        if not tops:
            return {}
        # Cells go singly, or by whole frames where there is no frequency axis.
        least = 1 if self.model.has_frequency else maps.shape[1]
        size = maps[0].size // least
        cells = [top_cells(own, round(top * size / 100) * least, tie) for top in tops for own in maps]
        sounds = self.respondent.deleted(item, list(range(count)) * len(tops), np.stack(cells))
        return {top: sounds[at * count : (at + 1) * count] for at, top in enumerate(tops)}

    def _tops(self) -> list[int]:
        return list(dict.fromkeys(column.response.top for column in of_response(self.metrics, DeletedPresence)))

    def _arrays(self, response: BandResponse, asked: BandAnswers, item: BandItem) -> tuple[Any, ...]:
        """Arrays of a response; raises UndefinedError where it is not used on the item."""
        reason = self._unused(response, item)
        if reason:
            raise UndefinedError(reason)
        match response:
            case ChosenCells():
                return np.stack(chosen(response, asked)), asked.truth
            case Cells() | TimedCells():
                return asked.maps, asked.truth
            case SoundingCells():
                return (asked.truth,)
            case WordDifference():
                return asked.maps, asked.difference
            case DeletedPresence():
                return asked.before[response.judge], asked.after[response.judge, response.top]
            case FreshPresence():
                return asked.before[response.judge], asked.fresh[response.judge]
        raise NotImplementedError(f"the band track's scoring has no response {type(response).__name__}")

    def _unused(self, response: BandResponse, item: BandItem) -> str:
        """Why a response is not used on an item; empty if it is."""
        if response.of_frequency and not self.model.has_frequency:
            return "the model's attention has no frequency axis"
        if not response.of_truth:
            return ""
        if not item.start.size:
            return "the sound starts from noise alone, so that the stems do not say what is where in it"
        refuted = [role for role in (INSTRUMENT, OTHERS, PLACE) if not self._stands(role)]
        return f"the truth of the stems is not certified on this model: {', '.join(refuted)}" if refuted else ""

    def _stands(self, role: str) -> bool:
        """Whether a role is certified, or no intervention was tried on this task."""
        roles = self.certificate.get("roles", {})
        return role not in roles or bool(roles[role].get("certified", False))


def over_bins(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values [I, M, T] as their mean over bins, in every bin.

    >>> over_bins(np.array([[[1.0, 2.0], [3.0, 4.0]]])).tolist()
    [[[2.0, 3.0], [2.0, 3.0]]]
    """
    return np.repeat(values.mean(1, keepdims=True), values.shape[1], 1)


def tie_order(seed_key: str, item: BandItem, has_frequency: bool = True) -> NDArray[np.int64]:
    """Order [M, T] of an item's equal cells; whole frames are in order where there is no frequency axis."""
    rng = np.random.default_rng(derive(seed_key, item.id, "ties"))
    bins, frames = item.mel.shape
    if has_frequency:
        return np.asarray(rng.permutation(bins * frames).reshape(bins, frames), dtype=np.int64)
    return np.asarray(rng.permutation(frames)[None] * bins + np.arange(bins)[:, None], dtype=np.int64)


def chosen(response: ChosenCells, asked: BandAnswers) -> list[NDArray[np.bool_]]:
    """Cells [M, T] that each word's map marks once it is cut."""
    if response.cut == "half":
        return [upper_half(own) for own in asked.maps]
    return [top_cells(own, int(true.sum()), asked.tie) for own, true in zip(asked.maps, asked.truth, strict=True)]


def open_scoring(setting: Setting) -> BandScoring:
    """Scoring of a band task; raises EarwitnessError where the dataset or the card cannot be used."""
    return BandScoring(setting)
