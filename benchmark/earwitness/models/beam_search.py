"""Beam search as transformers' `generate` does it, but for one thing: an utterance whose transcript is settled leaves.

There a batch is searched until its last transcript is settled, and a single one that runs on keeps them all in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor

    Reshape = Callable[[Tensor, Tensor], Tensor]
    """Scores [R, V] of the next token as settings reshape them, from tokens so far [R, P + t] and scores [R, V]."""

_NEVER = -1e9
"""What is added to scores that must not win: transformers' own number, so that ties fall alike."""
_UNFILLED = -1


@dataclass(frozen=True)
class SearchRules:
    """What a search goes by."""

    beams: int
    """1 searches greedily."""
    ends: tuple[int, ...]
    """Tokens that end a transcript."""
    most: int
    """Tokens after which a transcript ends anyway."""
    length_penalty: float = 1.0
    """Sums of log-probabilities are compared over lengths to this power."""
    early_stopping: bool | str = False
    """True stops at as many transcripts as there are beams; `never` and False say what could still win."""


class StepwiseDecoder(Protocol):
    """A decoder that is asked for one token after another, for several rows an utterance."""

    def start(self) -> Tensor:
        """Logits [n, V] of the first token of each utterance, after what opens every transcript."""

    def branch(self, each: int) -> None:
        """Let each utterance go on in so many rows, side by side."""

    def step(self, tokens: Tensor) -> Tensor:
        """Logits [R, V] of what follows the rows' latest tokens [R]."""

    def follow(self, rows: Tensor, utterances: Tensor | None) -> None:
        """Go on from rows [R'] of those before; `utterances` [n'] are those that stay, None being all of them."""


def search(decoder: StepwiseDecoder, opening: Tensor, reshape: Reshape, rules: SearchRules) -> list[NDArray[np.int64]]:
    """Tokens [O] of each utterance, without the end; `opening` [n, P] is what opens every transcript."""
    find = _greedy if rules.beams == 1 else _beams
    return [_until_end(row, rules.ends) for row in find(decoder, opening, reshape, rules)]


def _greedy(decoder: StepwiseDecoder, opening: Tensor, reshape: Reshape, rules: SearchRules) -> list[Tensor]:
    """The likeliest token at each step, tokens [t] of each utterance."""
    sequences, live = opening, torch.arange(len(opening), device=opening.device)
    found: dict[int, Tensor] = {}
    ends = torch.tensor(rules.ends, dtype=torch.long, device=opening.device)
    logits = decoder.start()
    for length in range(1, rules.most + 1):
        chosen = reshape(sequences, logits.to(torch.float32, copy=True)).argmax(-1)
        sequences = torch.cat([sequences, chosen[:, None]], dim=1)
        settled = torch.isin(chosen, ends) | (length == rules.most)
        found.update(_by_index(live[settled], sequences[settled, opening.shape[1] :]))
        if settled.all():
            break
        if settled.any():
            staying = (~settled).nonzero()[:, 0]
            live, sequences, chosen = live[staying], sequences[staying], chosen[staying]
            decoder.follow(staying, staying)
        logits = decoder.step(chosen)
    return [found[index] for index in range(len(opening))]


def _beams(decoder: StepwiseDecoder, opening: Tensor, reshape: Reshape, rules: SearchRules) -> list[Tensor]:
    """The best finished transcript of each utterance, tokens [most] that are `_UNFILLED` behind its own."""
    state = _Beams(len(opening), rules, opening.device)
    live = torch.arange(len(opening), device=opening.device)
    found: dict[int, Tensor] = {}
    logits = decoder.start().repeat_interleave(rules.beams, dim=0)
    decoder.branch(rules.beams)
    for _ in range(rules.most):
        ids = torch.cat([opening[:1].expand(len(logits), -1), state.running.flatten(0, 1)], dim=1)
        scores = reshape(ids, logits.to(torch.float32).log_softmax(-1))
        parents, settled = state.advance(scores)
        found.update(_by_index(live[settled], state.finished[settled, 0]))
        if settled.all():
            break
        staying = (~settled).nonzero()[:, 0] if settled.any() else None
        if staying is not None:
            live, parents = live[staying], parents[staying]
            state.keep(staying)
        decoder.follow(parents.flatten(), staying)
        logits = decoder.step(state.running[:, :, -1].flatten())
    return [found[index] for index in range(len(opening))]


class _Beams:
    """Running and finished transcripts of n utterances, b of either, best first."""

    def __init__(self, count: int, rules: SearchRules, device: torch.device) -> None:
        shape = (count, rules.beams)
        self._rules = rules
        self._ends = torch.tensor(rules.ends, dtype=torch.long, device=device)
        self.running = torch.empty((*shape, 0), dtype=torch.long, device=device)
        """[n, b, t]"""
        self.finished = torch.full((*shape, rules.most), _UNFILLED, dtype=torch.long, device=device)
        """[n, b, most]"""
        # All beams start alike: but for the first, none may win at the first step.
        self._running_scores = torch.full(shape, _NEVER, device=device)
        self._running_scores[:, 0] = 0
        self._finished_scores = torch.full(shape, _NEVER, device=device)
        self._is_finished = torch.zeros(shape, dtype=torch.bool, device=device)
        self._can_improve = torch.ones(count, 1, dtype=torch.bool, device=device)

    def keep(self, staying: Tensor) -> None:
        """Go on with some utterances [n'] alone."""
        for name in ("running", "finished", "_running_scores", "_finished_scores", "_is_finished", "_can_improve"):
            setattr(self, name, getattr(self, name)[staying])

    def advance(self, scores: Tensor) -> tuple[Tensor, Tensor]:
        """Take scores [n b, V] of the next token; gives the rows [n, b] that go on, and which utterances [n] settled.

        A settled utterance's best transcript is the first of `finished`.
        """
        count, beams, before = self.running.shape
        length, size = before + 1, scores.shape[-1]
        total = (scores.view(count, beams, size) + self._running_scores[..., None]).flatten(1)
        # An end for every beam may be among the best: as many that go on must be left.
        best, place = total.topk(max(2, 1 + len(self._rules.ends)) * beams)
        parents, tokens = place // size, place % size
        candidates = torch.cat([_of(self.running, parents), tokens[..., None]], dim=-1)
        ended = torch.isin(tokens, self._ends) | (length == self._rules.most)
        going = (best + ended.to(best.dtype) * _NEVER).topk(beams)
        self._finish(candidates, best, ended)
        self.running, self._running_scores = _of(candidates, going.indices), going.values
        settled = self._settled(length) | ended.all(1)
        first = torch.arange(count, device=scores.device)[:, None] * beams
        return parents.gather(1, going.indices) + first, settled

    def _finish(self, candidates: Tensor, best: Tensor, ended: Tensor) -> None:
        """Take candidates [n, k, t] of summed log-probabilities [n, k] that have ended among the finished."""
        length, beams = candidates.shape[-1], self._rules.beams
        scores = best / length**self._rules.length_penalty
        full = self._is_finished.all(1, keepdim=True) & (self._rules.early_stopping is True)
        # Of those behind the first b none may finish: they are there so that enough go on.
        ahead = ended & (torch.arange(best.shape[1], device=best.device) < beams)
        for barred in (full, ~self._can_improve, ~ahead):
            scores = scores + barred.to(scores.dtype) * _NEVER
        padded = torch.nn.functional.pad(candidates, (0, self._rules.most - length), value=_UNFILLED)
        kept = torch.cat([self._finished_scores, scores], dim=1).topk(beams)
        self.finished = _of(torch.cat([self.finished, padded], dim=1), kept.indices)
        self._is_finished = torch.cat([self._is_finished, ahead], dim=1).gather(1, kept.indices)
        self._finished_scores = kept.values

    def _settled(self, length: int) -> Tensor:
        """[n]: whether no running transcript of `length` tokens can win any more, or enough are finished."""
        rules = self._rules
        reach = rules.most if rules.early_stopping == "never" and rules.length_penalty > 0 else length
        possible = self._running_scores[:, :1] / reach**rules.length_penalty
        worst = torch.where(self._is_finished, self._finished_scores.amin(1, keepdim=True), _NEVER)
        self._can_improve &= (possible > worst).any(1, keepdim=True)
        enough = self._is_finished.all(1) & (rules.early_stopping is True)
        return ~self._can_improve[:, 0] | enough


def _of(sequences: Tensor, which: Tensor) -> Tensor:
    """Sequences [n, k, t] of each utterance's b, chosen by indices [n, k]."""
    return sequences.gather(1, which[..., None].expand(-1, -1, sequences.shape[-1]))


def _by_index(places: Tensor, rows: Tensor) -> dict[int, Tensor]:
    return dict(zip(places.tolist(), rows, strict=True))


def _until_end(row: Tensor, ends: tuple[int, ...]) -> NDArray[np.int64]:
    """The tokens before the first end."""
    tokens = row.cpu().numpy()
    stops = np.flatnonzero(np.isin(tokens, (*ends, _UNFILLED)))
    return tokens[: stops[0]] if len(stops) else tokens
