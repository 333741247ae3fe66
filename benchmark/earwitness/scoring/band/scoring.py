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
from earwitness.scoring import loading
from earwitness.scoring.band.originals import BandOriginals
from earwitness.scoring.band.readings import CHOSEN, DELETION, FREQUENCY, HALF, OF_TRUTH, Reading, read_card
from earwitness.scoring.band.responses import Respondent
from earwitness.scoring.certificates import read_certificate
from earwitness.scoring.evaluate import evaluate
from earwitness.scoring.items import Items, records_of
from earwitness.seeds import derive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from earwitness.exhibits.manifest import Exhibit
    from earwitness.scoring import Setting, Value
    from earwitness.scoring.band.originals import Pairs
    from earwitness.tracks.band import BandItem, BandMap, BandModel

INSTRUMENT, OTHERS, PLACE = "instrument", "others", "place"
"""Roles of the certificate that the truth of the stems needs."""


@dataclass(frozen=True)
class Asked:
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
        self.readings = read_card(setting.task)
        self.originals = BandOriginals(setting, records)
        super().__init__(setting, records, self.originals)

    @cached_property
    def model(self) -> BandModel:
        """The trusted copy of the model."""
        return cast("BandModel", loading.load_model(self.setting.task, self.setting.device))

    @cached_property
    def respondent(self) -> Respondent:
        """The model with the judges that the card's metrics ask."""
        names = {reading.judge for reading in self.readings if reading.judge}
        return Respondent(self.model, loading.load_judges(self.setting.task, names, self.setting.device))

    @cached_property
    def certificate(self) -> dict[str, Any]:
        """What is certified of the task's truth; empty where nothing was tried."""
        return read_certificate(self.setting.task)

    def score(self, pairs: Sequence[tuple[BandItem, BandMap]], exhibits: Path | None = None) -> list[list[Value]]:
        """Values of every metric of the card for each pair; the same pairs in the same order give the same bits.

        Leaves under `exhibits`, where given, what `earwitness.exhibits.band` says: sounds without the word's attention
        in the top cells of its map, as many as the card's first deletion metric takes.
        """
        columns = [(reading, self.originals.seeds[0]) for reading in self.readings]
        found = []
        for item, explanation in pairs:
            known = self.originals.pairs(self.chunk_of(item.id), self.model)[item.id]
            answers: list[Asked] = []
            found += evaluate([(item, explanation)], columns, partial(self._respond, known, answers))
            if exhibits is not None:
                leave(exhibits, item.id, partial(self._exhibits, exhibits, item, answers))
        return found

    def _respond(
        self, known: Pairs, answers: list[Asked], pairs: Sequence[tuple[BandItem, BandMap]]
    ) -> Callable[[int, Reading, int], float]:
        """Ask about a pair; what is answered is appended to `answers`."""
        ((item, explanation),) = pairs
        asked = self._ask(item, known, explanation.instruments(item))
        answers.append(asked)
        return lambda position, reading, seed: self._number(asked, reading, item)

    def _exhibits(self, folder: Path, item: BandItem, answers: Sequence[Asked]) -> Iterator[Exhibit]:
        """Exhibits of what was answered; none where nothing was, which the item's rows say."""
        place = ItemExhibits(folder, item.id)
        for asked in answers:
            if asked.deleted is not None:
                yield from shown.sounds(place, item, asked.deleted, self.model.sample_rate)
            if self.is_among_first(item.id, DRAWN):
                yield from shown.pictures(place, item, asked.maps)

    def _ask(self, item: BandItem, known: Pairs, maps: NDArray[np.float64]) -> Asked:
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
        return Asked(maps, known.truth, difference, tie, before, fresh, after, next(iter(deletions.values()), None))

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
        return list(dict.fromkeys(reading.top for reading in self.readings if reading.name in DELETION))

    def _number(self, asked: Asked, reading: Reading, item: BandItem) -> float:
        reason = self._unused(reading, item)
        if reason:
            raise UndefinedError(reason)
        return ARGUMENTS[reading.name](reading, asked)

    def _unused(self, reading: Reading, item: BandItem) -> str:
        """Why a metric is not used on an item; empty if it is."""
        if reading.name in FREQUENCY and not self.model.has_frequency:
            return "the model's attention has no frequency axis"
        if reading.name not in OF_TRUTH or reading.name == "truth_density":
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


def _chosen(reading: Reading, asked: Asked) -> float:
    """Value of a metric that reads which cells a map marks."""
    truth = asked.truth
    if reading.cut == HALF:
        cells = [upper_half(own) for own in asked.maps]
    else:
        cells = [top_cells(own, int(true.sum()), asked.tie) for own, true in zip(asked.maps, truth, strict=True)]
    return reading.metric.function(np.stack(cells), truth)


def _deleted(reading: Reading, asked: Asked) -> float:
    """Value of a metric that reads what the judge hears without attention."""
    return reading.metric.function(asked.before[reading.judge], asked.after[reading.judge, reading.top])


def _of_truth(reading: Reading, asked: Asked) -> float:
    """Value of a metric that reads a map and where the stems sound."""
    return reading.metric.function(asked.maps, asked.truth)


def _swapped(reading: Reading, asked: Asked) -> float:
    """Value of a metric that reads a map and what the word's removal changes."""
    return reading.metric.function(asked.maps, asked.difference)


ARGUMENTS: dict[str, Callable[[Reading, Asked], float]] = {
    **dict.fromkeys(CHOSEN, _chosen),
    **dict.fromkeys(("tf_ap", "time_ap", "frequency_ap", "profile_corr"), _of_truth),
    "tf_pointing": lambda reading, asked: reading.metric.function(asked.maps, asked.truth, reading.tolerance),
    "truth_density": lambda reading, asked: reading.metric.function(asked.truth),
    "swap_corr": _swapped,
    **dict.fromkeys(DELETION, _deleted),
    "deletion_noise": lambda reading, asked: reading.metric.function(
        asked.before[reading.judge], asked.fresh[reading.judge]
    ),
}
"""How each metric of the track gets its arguments."""


def open_scoring(setting: Setting) -> BandScoring:
    """Scoring of a band task; raises EarwitnessError where the dataset or the card cannot be used."""
    return BandScoring(setting)
