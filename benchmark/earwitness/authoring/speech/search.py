"""Ceilings of a speech task: the best and the worst that a search for explanations finds.

A greedy search removes, round by round, the cells whose removal lowers the probability of a token most (or of all
tokens together), or puts back those that raise it most, to first order: the gradient is taken anew each round, at
points on the way from what is left to nothing. What it finds, and what the truth says, are explanations like any other
and are scored by the same code; which of them is a metric's ceiling is chosen on fresh utterances
(`authoring.cross_fitting`). The true intervals' own values are kept beside them.
"""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

import numpy as np

from earwitness.authoring import cross_fitting
from earwitness.metrics.responses.speech import WORD
from earwitness.scoring.speech.scoring import open_scoring
from earwitness.tracks.speech import SpeechMap, utterance_mean

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from earwitness.scoring.speech.responses import SpeechRespondent
    from earwitness.scoring.speech.scoring import SpeechScoring
    from earwitness.tracks.speech import SpeechItem

ROUNDS = 20
"""Rounds of a search: a twentieth of the cells each, as the metrics' curves have it."""
WAY = (0.125, 0.375, 0.625, 0.875)
"""Shares of the way, in each round, at which the gradient is taken."""
FRESH = 20
"""Fresh utterances that the candidates are chosen on."""
UNKNOWN = ("deletion_prefix", "prefix_ap", "size_prefix")
"""Metrics of prefix maps, of which no truth is known."""


def candidates(scoring: SpeechScoring, item: SpeechItem) -> dict[str, Callable[[], SpeechMap]]:
    """Explanations that a search or the truth suggests, by name, and the reverse of each."""
    prefix = cache(lambda: prefix_map(scoring.respondent, item))
    found: dict[str, Callable[[], SpeechMap]] = {}
    for name, make in spectrograms(scoring, item).items():
        found[name] = partial(_map, make, prefix)
        found[f"not {name}"] = partial(_reverse, make, prefix)
    return found


def _map(spectrogram: Callable[[], NDArray[np.float64]], prefix: Callable[[], NDArray[np.float64]]) -> SpeechMap:
    return SpeechMap(spectrogram(), prefix())


def _reverse(spectrogram: Callable[[], NDArray[np.float64]], prefix: Callable[[], NDArray[np.float64]]) -> SpeechMap:
    return SpeechMap(1 - spectrogram(), np.tril(1 - prefix(), -1))


def spectrograms(scoring: SpeechScoring, item: SpeechItem) -> dict[str, Callable[[], NDArray[np.float64]]]:
    """Maps [O, T, M] of spectrograms, by name, that a search or the truth suggests; each is made once."""
    count, respondent = len(item.tokens), scoring.respondent
    found: dict[str, Callable[[], NDArray[np.float64]]] = {
        "tokens": lambda: greedy(respondent, item, np.eye(count), removing=True),
        "removed": lambda: np.repeat(greedy(respondent, item, np.ones((1, count)), removing=True), count, 0),
        "put back": lambda: np.repeat(greedy(respondent, item, np.ones((1, count)), removing=False), count, 0),
    }
    known = scoring.inside(item, WORD)
    if known is not None and known.any():
        found[WORD] = partial(_over_bins, known, item.features.shape[1])
    return {name: cache(make) for name, make in found.items()}


def _over_bins(frames: NDArray[np.bool_], bins: int) -> NDArray[np.float64]:
    """Frames [O, T] as cells [O, T, M]."""
    return np.repeat(frames[:, :, None], bins, 2).astype(np.float64)


def greedy(
    respondent: SpeechRespondent, item: SpeechItem, weights: NDArray[np.float64], removing: bool
) -> NDArray[np.float64]:
    """Maps [n, T, M] in [0, 1] of the rounds in which cells are removed, or put back, by what that does to a score.

    The score of search i, which removal shall lower and putting back raise, is the sum over tokens of `weights` [n, O]
    times the token's probability.
    """
    features, cells = item.features, item.features.size
    fill = np.broadcast_to(utterance_mean(features), features.shape)
    start, end = (features, fill) if removing else (fill, features)
    taken = np.zeros((len(weights), cells), dtype=bool)
    value = np.zeros((len(weights), cells))
    for step in range(ROUNDS):
        take = round((step + 1) * cells / ROUNDS) - round(step * cells / ROUNDS)
        now = np.where(taken.reshape(-1, *features.shape), end, start)
        points = [(now + way * (end - now)).astype(np.float32) for way in WAY]
        slope = np.mean([respondent.gradients(item, point, weights) for point in points], axis=0)
        gain = (slope * (end - now)).reshape(len(weights), cells) * (-1 if removing else 1)
        gain[taken] = -np.inf
        chosen = np.argsort(-gain, axis=1, kind="stable")[:, :take]
        np.put_along_axis(taken, chosen, True, 1)
        np.put_along_axis(value, chosen, 1 - step / ROUNDS, 1)
    return value.reshape(-1, *features.shape)


def prefix_map(respondent: SpeechRespondent, item: SpeechItem) -> NDArray[np.float64]:
    """A map [O, O] of the tokens before: greedily, each next token is the one whose removal costs token k most."""
    count = len(item.tokens)
    found = np.zeros((count, count))
    for k in range(1, count):
        out: list[int] = []
        while len(out) < k:
            left = [j for j in range(k) if j not in out]
            masks = np.ones((len(left), count), dtype=np.float32)
            for mask, j in zip(masks, left, strict=True):
                mask[[*out, j]] = 0
            chosen = left[int(respondent.prefix_probabilities(item, masks)[:, k].argmin())]
            found[k, chosen] = 1 - len(out) / k
            out.append(chosen)
    return found


def mean_filled(item: SpeechItem, frames: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The item's spectrogram with whole frames [n, T] removed: [n, T, M]."""
    fill = np.broadcast_to(utterance_mean(item.features), item.features.shape)
    return np.where(frames[:, :, None], fill[None], item.features[None]).astype(np.float32)


SEARCH = cross_fitting.Search(open_scoring, candidates, FRESH, truth=WORD, unknown=UNKNOWN)


def chosen(scoring: SpeechScoring, item: SpeechItem, choice: str) -> SpeechMap:
    """The explanation that a choice of `ceilings.SCHEMA` names; raises EarwitnessError where it names none."""
    explanation: SpeechMap = cross_fitting.chosen(SEARCH, scoring, item, choice)
    return explanation
