"""Ceilings: the best and the worst value that any explanation of whole words reaches on an item, found by search.

A `top` mask keeps k tokens; the search goes through all sets of words that make k tokens, kept in every frame, and
takes the best value of each metric on its own. Where there are too many sets, words are added greedily one by one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from math import comb
from typing import TYPE_CHECKING, Any

import numpy as np

from earwitness.authoring.ceilings import BEST, WORST, row
from earwitness.metrics.responses.prompt import Logits, Sound, share
from earwitness.scoring.columns import of_response
from earwitness.scoring.prompt.masks import complement, kept, word_mask
from earwitness.scoring.prompt.responses import Ask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import TypeAlias

    from numpy.typing import NDArray

    from earwitness.scoring.columns import Column
    from earwitness.scoring.prompt.originals import JudgeAnswers
    from earwitness.scoring.prompt.responses import GeneratedSound, Key, PromptRespondent
    from earwitness.tracks.prompt import PromptItem

    Words: TypeAlias = tuple[int, ...]

EXHAUSTIVE = 300
"""Sets of words up to which all of them are tried."""


@dataclass
class Searched:
    """An item whose words are searched."""

    respondent: PromptRespondent
    item: PromptItem
    heard: Mapping[str, JudgeAnswers]
    """By judge."""
    noise: Callable[[str, int], int]
    """Seed of the noise of an item under a generation seed."""
    _sounds: dict[Key, GeneratedSound] = field(default_factory=dict)
    _logits: dict[Key, NDArray[np.float32]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.owner = self.respondent.model.words([self.item.prompt])[0]
        self.words = int(self.owner.max()) + 1
        self.tokens = np.bincount(self.owner[self.owner >= 0], minlength=self.words)
        self._original = self.respondent.original_logits([self.item])[self.item.id]

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
        """Ask model and judges whatever these metrics of these sets read and is not known yet."""
        sounds: dict[Key, Ask] = {}
        logits: dict[Key, Ask] = {}
        judges: set[str] = set()
        for column, words, seed in questions:
            ask = self._question(column, words, seed)
            if isinstance(column.response, Sound):
                judges.add(column.judge)
                if ask.key not in self._sounds or column.judge not in self._sounds[ask.key].answers:
                    sounds[ask.key] = ask
            elif ask.key not in self._logits:
                logits[ask.key] = ask
        if sounds:
            self._sounds |= self.respondent.sounds(list(sounds.values()), sorted(judges))
        if logits:
            self._logits |= self.respondent.guided_logits(list(logits.values()))

    def value(self, column: Column, words: Words, seed: int) -> float:
        """The metric's value if these words are the explanation; ask first."""
        key = self._question(column, words, seed).key
        if isinstance(column.response, Sound):
            original, answer = self.heard[column.judge].original, self._sounds[key].answers[column.judge]
            return column.value(original, answer)
        return column.value(self._original, self._logits[key])

    def _question(self, column: Column, words: Words, seed: int) -> Ask:
        chosen = np.zeros(self.words, dtype=bool)
        chosen[list(words)] = True
        mask = word_mask(chosen, self.owner)
        if column.response.removed:
            mask = complement(mask, self.item.special)
        frames = np.broadcast_to(mask.astype(np.float32), (self.item.codes.shape[1], len(mask)))
        noise = self.noise(self.item.id, seed if isinstance(column.response, Sound) else 0)
        return Ask(self.item, np.ascontiguousarray(frames), noise, column.response.removal)


def search(searched: Searched, columns: Sequence[Column], seeds: Sequence[int]) -> list[dict[str, Any]]:
    """Rows of `ceilings.SCHEMA`: best and worst value of each metric with a `top` mask, under each generation seed."""
    todo = [
        (column, seed, searched.candidates(column.response.mask))
        for column in of_response(columns, (Sound, Logits))
        if share(column.response.mask) is not None
        for seed in column.seeds(seeds)
    ]
    searched.ask((column, words, seed) for column, seed, sets in todo if sets for words in sets)
    rows = []
    for column, seed, sets in todo:
        for kind, sign in ((BEST, 1), (WORST, -1)):
            towards = sign if column.metric.direction == "higher" else -sign
            value = (
                max((searched.value(column, words, seed) for words in sets), key=lambda v: towards * v)
                if sets
                else greedy(searched, column, seed, towards)
            )
            rows.append(row(kind, column.id, searched.item.id, seed, value))
    return rows


def greedy(searched: Searched, column: Column, seed: int, towards: int) -> float:
    """The value reached by adding, one by one, the word that helps most, until the mask keeps its number of tokens."""
    part = share(column.response.mask)
    assert part is not None
    budget = kept(part, int(searched.tokens.sum()))
    chosen: Words = ()
    while True:
        room = budget - int(searched.tokens[list(chosen)].sum())
        fits = [w for w in range(searched.words) if w not in chosen and (searched.tokens[w] <= room or not chosen)]
        if not fits or room <= 0:
            return searched.value(column, chosen, seed)
        sets = [tuple(sorted((*chosen, word))) for word in fits]
        searched.ask((column, words, seed) for words in sets)
        chosen = max(sets, key=lambda words: towards * searched.value(column, words, seed))
