"""Ceilings: the best and the worst that explanations of whole words reach on an item, chosen and scored apart.

A `top` mask keeps k tokens; the search goes through all sets of words that make k tokens, kept in every frame, and
chooses the best and the worst for each metric on its own: all sets are tried under one noise, those that are best
there under a second, and the mean of both chooses. Where there are too many sets, words are added greedily one by one.
Nothing is chosen by the numbers that it is scored by: what is sampled is chosen under noises that no
generation seed of a card gives and scored under those of the card; what is teacher-forced is chosen on the even frames
and scored on the odd, and the reverse, and the ceiling is the mean of both.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import combinations
from math import comb
from typing import TYPE_CHECKING, Any

import numpy as np

from earwitness.authoring.ceilings import BEST, WORST, row
from earwitness.authoring.prompt.choices import halves, token_map
from earwitness.authoring.prompt.oracle import in_time
from earwitness.metrics.responses.prompt import Logits, Sound, share
from earwitness.scoring.columns import of_response
from earwitness.scoring.prompt.masks import complement, kept, word_mask
from earwitness.scoring.prompt.responses import Ask
from earwitness.seeds import derive

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import TypeAlias

    from numpy.typing import NDArray

    from earwitness.scoring.columns import Column
    from earwitness.scoring.prompt.originals import JudgeAnswers
    from earwitness.scoring.prompt.responses import GeneratedSound, Key, PromptRespondent
    from earwitness.scoring.prompt.scoring import PromptScoring
    from earwitness.tracks.prompt import PromptItem, TokenMap

    Words: TypeAlias = tuple[int, ...]

EXHAUSTIVE = 500
"""Sets of words up to which all of them are tried: those of 4 of 12 words are 495."""
SELECTIONS = 2
"""Noises that a set of words is chosen under."""
SHORTLIST = 8
"""Sets of words that are tried under more than the first of them."""


@dataclass(frozen=True)
class Noises:
    """Seeds of the noise that an item's sounds are generated with."""

    selection: tuple[int, ...]
    """Under which sets of words are chosen."""
    generation: Mapping[int, int]
    """Under which they are scored, by generation seed."""

    @classmethod
    def of(cls, scoring: PromptScoring, item: PromptItem) -> Noises:
        """Those of an item of a task."""
        originals = scoring.originals
        selection = [derive(originals.seed_key, item.id, "selection", number) for number in range(SELECTIONS)]
        return cls(tuple(selection), {seed: originals.noise(item.id, seed) for seed in originals.seeds})


@dataclass(frozen=True)
class Judged:
    """What of the answers a set of words is judged by."""

    noises: tuple[int, ...] = (0,)
    """Of the generations; 0 where nothing is sampled."""
    first: int = 0
    step: int = 1
    """Frames of teacher-forced logits: the first of them, and how far the next one is."""

    def of(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """The part [K, F', V] of logits [K, F, V]."""
        return logits[:, self.first :: self.step]


EVEN, ODD = Judged(step=2), Judged(first=1, step=2)
"""The two halves of teacher-forced answers."""


@dataclass
class Searched:
    """An item whose words are searched."""

    respondent: PromptRespondent
    item: PromptItem
    heard: Mapping[str, JudgeAnswers]
    """By judge."""
    _sounds: dict[Key, GeneratedSound] = field(default_factory=dict)
    _logits: dict[Key, NDArray[np.float32]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.owner = self.respondent.model.words([self.item.prompt])[0]
        self.words = int(self.owner.max()) + 1
        self.tokens = np.bincount(self.owner[self.owner >= 0], minlength=self.words)
        self._original = self.respondent.original_logits([self.item])[self.item.id][:, self.item.asked]

    def candidates(self, name: str) -> list[Words] | None:
        """All sets of words of as many tokens as the mask keeps (or as near below as words allow); None if too many."""
        part = share(name)
        assert part is not None
        budget = kept(part, int(self.tokens.sum()))
        sizes = range(budget, budget + 1) if self.tokens.max() == 1 else range(1, min(budget, self.words) + 1)
        if sum(comb(self.words, size) for size in sizes) > EXHAUSTIVE:
            return None
        sets = [s for size in sizes for s in combinations(range(self.words), size)]
        totals = [int(self.tokens[list(s)].sum()) for s in sets]
        most = max((total for total in totals if total <= budget), default=min(totals))
        return [s for s, total in zip(sets, totals, strict=True) if total == most]

    def ask(self, questions: Iterable[tuple[Column, Words, int]]) -> None:
        """Ask model and judges whatever these metrics of these sets read under these noises and is not known yet.

        A sound is generated once for all metrics and judges that are asked about it together.
        """
        sounds: dict[Key, Ask] = {}
        logits: dict[Key, Ask] = {}
        judges: dict[Key, set[str]] = {}
        for column, words, noise in questions:
            ask = self._question(column, words, noise)
            if isinstance(column.response, Logits):
                if ask.key not in self._logits:
                    logits[ask.key] = ask
            elif ask.key not in self._sounds or column.judge not in self._sounds[ask.key].answers:
                sounds[ask.key] = ask
                judges.setdefault(ask.key, set(self._answered(ask.key))).add(column.judge)
        for group in sorted({tuple(sorted(names)) for names in judges.values()}):
            some = [ask for key, ask in sounds.items() if tuple(sorted(judges[key])) == group]
            self._sounds |= self.respondent.sounds(some, group)
        if logits:
            self._logits |= self.respondent.guided_logits(list(logits.values()))

    def value(self, column: Column, words: Words, part: Judged) -> float:
        """The metric's value if these words are the explanation, mean over the part's noises; ask first."""
        return float(np.mean([self._value(column, words, noise, part) for noise in part.noises]))

    def _value(self, column: Column, words: Words, noise: int, part: Judged) -> float:
        key = self._question(column, words, noise).key
        if isinstance(column.response, Logits):
            return column.value(part.of(self._original), part.of(self._logits[key][:, self.item.asked]))
        return column.value(self.heard[column.judge].original, self._sounds[key].answers[column.judge])

    def _answered(self, key: Key) -> Iterable[str]:
        return self._sounds[key].answers if key in self._sounds else ()

    def _question(self, column: Column, words: Words, noise: int) -> Ask:
        chosen = np.zeros(self.words, dtype=bool)
        chosen[list(words)] = True
        mask = word_mask(chosen, self.owner)
        if column.response.removed:
            mask = complement(mask, self.item.special)
        frames = np.broadcast_to(mask.astype(np.float32), (self.item.codes.shape[1], len(mask)))
        return Ask(self.item, np.ascontiguousarray(frames), noise, column.response.removal)


def search(searched: Searched, columns: Sequence[Column], noises: Noises) -> list[dict[str, Any]]:
    """Rows of `ceilings.SCHEMA`: best and worst value of each metric with a `top` mask, under each generation seed."""
    masked = [each for each in of_response(columns, (Sound, Logits)) if share(each.response.mask) is not None]
    searched.ask(
        (column, words, _chosen_by(column, noises)[0].noises[0])
        for column in masked
        for words in searched.candidates(column.response.mask) or ()
    )
    ends = [(column, kind, towards) for column in masked for kind, towards in _directions(column)]
    searched.ask(
        (column, words, noise)
        for column, _, towards in ends
        for part in _chosen_by(column, noises)
        for words in shortlist(searched, column, towards, part) or ()
        for noise in part.noises
    )
    found = {
        (column.id, kind): tuple(best(searched, column, towards, part) for part in _chosen_by(column, noises))
        for column, kind, towards in ends
    }
    sampled = {column.id for column in of_response(masked, Sound)}
    searched.ask(
        (column, words, noise)
        for column in masked
        if column.id in sampled
        for kind in (BEST, WORST)
        for words in found[column.id, kind]
        for noise in noises.generation.values()
    )
    rows = []
    for column in masked:
        for kind, _ in _directions(column):
            sets = found[column.id, kind]
            values = _sampled if column.id in sampled else _forced
            rows += [
                row(kind, column.id, searched.item.id, seed, value, choice)
                for seed, value, choice in values(searched, column, sets, noises)
            ]
    return rows


def _directions(column: Column) -> list[tuple[str, int]]:
    """The two ends of a metric, with 1 where it is the larger value."""
    larger = 1 if column.metric.direction == "higher" else -1
    return [(BEST, larger), (WORST, -larger)]


def _chosen_by(column: Column, noises: Noises) -> tuple[Judged, ...]:
    """The parts of the answers that sets of words are chosen by, each for itself."""
    if isinstance(column.response, Logits):
        return EVEN, ODD
    return (Judged(noises.selection),)


def _sampled(
    searched: Searched, column: Column, sets: Sequence[Words], noises: Noises
) -> Iterator[tuple[int, float, str]]:
    """Generation seed, value and choice of a set that was chosen under other noise."""
    (words,) = sets
    for seed in column.seeds(tuple(noises.generation)):
        yield seed, searched.value(column, words, Judged((noises.generation[seed],))), _numbers(words)


def _forced(
    searched: Searched, column: Column, sets: Sequence[Words], noises: Noises
) -> Iterator[tuple[int, float, str]]:
    """Generation seed, value and choice of the sets that were chosen on even and on odd frames, each on the others."""
    by_even, by_odd = sets
    value = (searched.value(column, by_even, ODD) + searched.value(column, by_odd, EVEN)) / 2
    for seed in column.seeds(tuple(noises.generation)):
        yield seed, value, halves(even=_numbers(by_odd), odd=_numbers(by_even))


def _numbers(words: Words) -> str:
    return " ".join(map(str, words))


def shortlist(searched: Searched, column: Column, towards: int, part: Judged) -> list[Words] | None:
    """The sets of words whose values are largest (`towards` 1) or smallest (-1) under a part's first noise; ask first.

    None where there are too many sets to try them all.
    """
    sets, first = searched.candidates(column.response.mask), replace(part, noises=part.noises[:1])
    if sets is None:
        return None
    ahead = sorted(sets, key=lambda words: -towards * searched.value(column, words, first))
    return sorted(ahead[:SHORTLIST])


def best(searched: Searched, column: Column, towards: int, part: Judged) -> Words:
    """The set of words whose value is largest (`towards` 1) or smallest (-1) by a part of the answers; ask first."""
    sets = shortlist(searched, column, towards, part)
    if sets is None:
        return greedy(searched, column, towards, part)
    return max(sets, key=lambda words: towards * searched.value(column, words, part))


def greedy(searched: Searched, column: Column, towards: int, part: Judged) -> Words:
    """The set made by adding, one by one, the word that helps most, until the mask keeps its number of tokens."""
    share_kept = share(column.response.mask)
    assert share_kept is not None
    budget = kept(share_kept, int(searched.tokens.sum()))
    chosen: Words = ()
    while True:
        room = budget - int(searched.tokens[list(chosen)].sum())
        fits = [w for w in range(searched.words) if w not in chosen and (searched.tokens[w] <= room or not chosen)]
        if not fits or room <= 0:
            searched.ask((column, chosen, noise) for noise in part.noises)
            return chosen
        sets = [tuple(sorted((*chosen, word))) for word in fits]
        searched.ask((column, words, noise) for words in sets for noise in part.noises)
        chosen = max(sets, key=lambda words: towards * searched.value(column, words, part))


def chosen(scoring: PromptScoring, item: PromptItem, choice: str) -> TokenMap:
    """The explanation that a choice of `ceilings.SCHEMA` names; raises EarwitnessError where it names none of the item.

    Words that were chosen on the even frames are marked in the odd ones, and the reverse.
    """
    told = in_time(scoring, item, choice)
    return token_map(item, scoring.model.words([item.prompt])[0], choice) if told is None else told
