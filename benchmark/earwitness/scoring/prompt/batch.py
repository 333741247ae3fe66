"""A batch of scoring: some items of one submission, whose responses are asked together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from earwitness.exhibits.prompt import KEPT, REMOVED
from earwitness.metrics.arrays import UndefinedError
from earwitness.metrics.responses.prompt import (
    FreshSound,
    Logits,
    Masked,
    NullWords,
    Sound,
    TokenWeights,
    WordIntervals,
    WordRoles,
    WordShapley,
)
from earwitness.scoring.columns import of_response
from earwitness.scoring.prompt.masks import by_word, complement, mask
from earwitness.scoring.prompt.responses import Ask
from earwitness.scoring.prompt.truth import asked_words, codes_digest
from earwitness.seeds import derive
from earwitness.tracks.prompt import Removal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from earwitness.datasets import PromptRecord, PromptTruth
    from earwitness.metrics import Response
    from earwitness.scoring.columns import Column
    from earwitness.scoring.prompt.originals import JudgeAnswers, PromptOriginals
    from earwitness.scoring.prompt.responses import GeneratedSound, Key, PromptRespondent
    from earwitness.scoring.prompt.truth import Truth, WordTruth
    from earwitness.tracks.prompt import PromptItem, TokenMap

LISTEN_MASK = "top30"
"""Mask under which people hear what was kept and what was removed."""


@dataclass(frozen=True)
class Context:
    """What every batch of a scoring shares."""

    respondent: PromptRespondent
    originals: PromptOriginals
    truth: Truth
    no_stored_truth: str
    """Why stored truth does not hold for these items; empty where it does."""
    seed_key: str


class Batch:
    """Pairs of items and explanations that are scored together."""

    def __init__(
        self,
        context: Context,
        columns: Sequence[Column],
        pairs: Sequence[tuple[PromptItem, TokenMap]],
        records: Sequence[PromptRecord],
        heard: Mapping[str, Mapping[str, JudgeAnswers]],
    ) -> None:
        self._context = context
        self._columns = columns
        self._pairs = pairs
        self._records = records
        self._heard = heard
        self._owners = context.respondent.model.words([item.prompt for item, _ in pairs])
        self._masks: dict[tuple[int, str, bool], NDArray[np.float32]] = {}
        self._sounds: dict[Key, GeneratedSound] = {}
        self._logits: dict[Key, NDArray[np.float32]] = {}
        self._original_logits: dict[str, NDArray[np.float32]] = {}

    def ask(self, for_people: bool = False) -> None:
        """Ask model and judges everything that the metrics read; keep of it the sounds that people hear, if asked."""
        self._ask_sounds(for_people)
        asks = [
            self._question(column.response, position, 0)
            for column in of_response(self._columns, Logits)
            for position in range(len(self._pairs))
        ]
        if asks:
            respondent = self._context.respondent
            self._logits = respondent.guided_logits(asks)
            items = list({item.id: item for item, _ in self._pairs}.values())
            self._original_logits = respondent.original_logits(items)

    def number(self, position: int, column: Column, seed: int) -> float:
        """What a metric gives for the pair at this position under a generation seed; raises what the metric raises."""
        return column.value(*self._arrays(column.response, position, seed))

    def for_people(self, position: int) -> dict[str, NDArray[np.float32]]:
        """Sounds [S] of the pair at this position that people hear, by label; raises what generating them raises."""
        own = self._to_hear(position)
        if any(ask.key not in self._sounds for ask in own.values()):
            # Apart from what metrics ask, so that its batches, and so the rows, are the same whether anyone listens.
            asks = [ask for other in range(len(self._pairs)) for ask in self._to_hear(other).values()]
            missing = [ask for ask in asks if ask.key not in self._sounds]
            self._sounds |= self._context.respondent.sounds(missing, (), keep=lambda ask: True)
        heard = {label: self._sounds[ask.key].audio for label, ask in own.items()}
        return {label: audio for label, audio in heard.items() if audio is not None}

    def _ask_sounds(self, for_people: bool) -> None:
        respondent, seeds = self._context.respondent, self._context.originals.seeds
        asks: dict[Key, Ask] = {}
        judges: dict[Key, set[str]] = {}
        for column in of_response(self._columns, Sound):
            for position in range(len(self._pairs)):
                for seed in seeds:
                    ask = self._question(column.response, position, seed)
                    asks.setdefault(ask.key, ask)
                    judges.setdefault(ask.key, set()).add(column.judge)
        kept: set[Key] = set()
        if for_people:
            kept = {ask.key for position in range(len(self._pairs)) for ask in self._to_hear(position).values()}
        for group in sorted({tuple(sorted(names)) for names in judges.values()}):
            some = [ask for key, ask in asks.items() if tuple(sorted(judges[key])) == group]
            self._sounds |= respondent.sounds(some, group, keep=lambda ask: ask.key in kept)

    def _to_hear(self, position: int) -> dict[str, Ask]:
        """Questions whose sounds people hear, by label."""
        seed = self._context.originals.seeds[0]
        return {
            label: self._masked(position, LISTEN_MASK, side, seed, Removal.SCALE)
            for label, side in ((KEPT, False), (REMOVED, True))
        }

    def _question(self, response: Masked, position: int, seed: int) -> Ask:
        return self._masked(position, response.mask, response.removed, seed, response.removal)

    def _masked(self, position: int, name: str, removed: bool, seed: int, removal: Removal) -> Ask:
        item, explanation = self._pairs[position]
        key = (position, name, removed)
        if key not in self._masks:
            tie_seed = derive(self._context.seed_key, item.id, "ties")
            token_mask = mask(name, explanation, item, tie_seed)
            token_mask = complement(token_mask, item.special) if removed else token_mask
            self._masks[key] = token_mask.astype(np.float32)
        noise = self._context.originals.noise(item.id, seed)
        return Ask(item, self._masks[key], noise, removal)

    def _arrays(self, response: Response, position: int, seed: int) -> tuple[NDArray[np.generic], ...]:
        """Arrays of a response; raises UndefinedError where the item has none."""
        item, explanation = self._pairs[position]
        match response:
            case Sound():
                sound = self._sounds[self._question(response, position, seed).key]
                return self._heard[item.id][response.judge].original, sound.answers[response.judge]
            case FreshSound():
                heard = self._heard[item.id][response.judge]
                return heard.original, heard.regenerated[seed]
            case Logits():
                perturbed = self._logits[self._question(response, position, 0).key]
                return self._original_logits[item.id][:, item.asked], perturbed[:, item.asked]
            case TokenWeights():
                weights, _ = explanation.asked(item)
                return (weights[:, ~item.special],)
            case WordRoles():
                return self._word_ranks(position, "max"), self._relevant(response, position)
            case WordIntervals():
                return self._class_words(position)
            case WordShapley():
                return self._word_ranks(position, "sum"), self._word_truth(position).shapley
            case NullWords():
                weights, _ = explanation.asked(item)
                mass = by_word(weights.mean(0, keepdims=True), self._owners[position])[0]
                return mass, self._word_truth(position).null
        raise NotImplementedError(f"the prompt track's scoring has no response {type(response).__name__}")

    def _word_ranks(self, position: int, reduce: str) -> NDArray[np.float64]:
        """Dense ranks [W] of the words by mean weight; the explanation's `order` tells equal weights apart."""
        item, explanation = self._pairs[position]
        means = [
            by_word(array.mean(0, keepdims=True), self._owners[position], reduce)[0]
            for array in explanation.asked(item)
        ]
        _, ranks = np.unique(np.stack(means, axis=1), axis=0, return_inverse=True)
        return ranks.reshape(-1).astype(np.float64)

    def _relevant(self, response: WordRoles, position: int) -> NDArray[np.bool_]:
        truth = self._data_truth(position)
        roles = self._context.truth.causal_roles() if response.roles == "causal" else frozenset({"class"})
        if not all(self._context.truth.certified(role) for role in {"class", *roles}):
            raise UndefinedError("no certificate shows that class words cause the sound")
        sounding = self._sounding(position, truth)
        return np.array([role in roles for role in truth.roles]) & sounding

    def _sounding(self, position: int, truth: PromptTruth) -> NDArray[np.bool_]:
        """Which words [W] act on what sounds in the frames that are asked for; all, where the whole sound is."""
        item, _ = self._pairs[position]
        if item.frames is not None:
            self._require_times()
        return asked_words(truth, item, self._context.respondent.model.frame_rate)

    def _class_words(self, position: int) -> tuple[NDArray[np.generic], ...]:
        """Weights [F, W] of class words in the frames that are asked for, their intervals [W, 2] and the times [F]."""
        self._require_times()
        truth = self._data_truth(position)
        item, explanation = self._pairs[position]
        spans = {
            word: span
            for word, (role, span) in enumerate(zip(truth.roles, truth.intervals, strict=True))
            if role == "class" and span is not None
        }
        if not spans:
            raise UndefinedError("no class word of this prompt has an interval")
        weights, _ = explanation.framewise(item.codes.shape[1])
        times = (np.arange(len(weights)) + 0.5) / self._context.respondent.model.frame_rate
        words = by_word(weights, self._owners[position], "max")[:, list(spans)]
        return words[item.asked], np.array(list(spans.values())), times[item.asked]

    def _require_times(self) -> None:
        """Raise UndefinedError unless events are certified to sound when their words say."""
        if not self._context.truth.knows_when():
            raise UndefinedError("no certificate shows that events sound when their words say")

    def _data_truth(self, position: int) -> PromptTruth:
        truth = self._records[position].truth
        if truth is None:
            raise UndefinedError("the dataset has no truth about words")
        return truth

    def _word_truth(self, position: int) -> WordTruth:
        if self._context.no_stored_truth:
            raise UndefinedError(self._context.no_stored_truth)
        words = self._context.truth.words
        item, _ = self._pairs[position]
        if item.id not in words:
            raise UndefinedError("no exact Shapley values are stored for this item")
        if words[item.id].codes != codes_digest(item):
            raise UndefinedError("the exact Shapley values that are stored are those of another sound of this prompt")
        return words[item.id]
