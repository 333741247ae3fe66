"""Ceilings of a speech task: the best and the worst that a search for explanations finds on an item.

Cells are taken in blocks. A greedy search removes, round by round, the blocks whose removal lowers the likelihood of a
token most (or of the whole transcript), or puts back those that raise it most. What it finds, and what the truth says,
are explanations like any other and are scored by the same code; each metric takes its best and its worst.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from earwitness.rows import Status
from earwitness.scoring.ceilings import BEST, WORST, row
from earwitness.scoring.speech.intervals import inside
from earwitness.scoring.speech.readings import PHONEME, WORD
from earwitness.tracks.speech import SpeechMap, utterance_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from earwitness.scoring.speech.responses import Respondent
    from earwitness.scoring.speech.scoring import SpeechScoring
    from earwitness.tracks.speech import SpeechItem

    Score = Callable[[NDArray[np.float64]], NDArray[np.float64]]

FRAMES, BANDS = 8, 4
"""Frames of a block, and blocks over the mel bins."""
ROUNDS = 20
"""Rounds of a search: a twentieth of the blocks each, as the metrics' curves have it."""


def search(scoring: SpeechScoring, item: SpeechItem) -> list[dict[str, Any]]:
    """Rows of `ceilings.SCHEMA`: best and worst value of each metric with a direction."""
    found: dict[str, list[float]] = {}
    seed = scoring.originals.seeds[0]
    for explanation in candidates(scoring, item):
        for value in scoring.score([(item, explanation)])[0]:
            if value.status == Status.OK and value.value is not None:
                found.setdefault(value.metric, []).append(value.value)
    rows = []
    for reading in scoring.readings:
        values = found.get(reading.id, [])
        if values and reading.metric.direction != "none":
            low, high = min(values), max(values)
            best, worst = (high, low) if reading.metric.direction == "higher" else (low, high)
            rows += [row(BEST, reading.id, item.id, seed, best), row(WORST, reading.id, item.id, seed, worst)]
    return rows


def candidates(scoring: SpeechScoring, item: SpeechItem) -> Iterator[SpeechMap]:
    """Explanations that a search or the truth suggests, and the reverse of each."""
    prefix = prefix_map(scoring.respondent, item)
    for spectrogram in spectrograms(scoring, item):
        yield SpeechMap(spectrogram, prefix)
        yield SpeechMap(1 - spectrogram, np.tril(1 - prefix, -1))


def spectrograms(scoring: SpeechScoring, item: SpeechItem) -> Iterator[NDArray[np.float64]]:
    """Maps [O, T, M] of spectrograms that a search or the truth suggests."""
    count, respondent = len(item.tokens), scoring.respondent
    yield np.stack([greedy(respondent, item, itemgetter((slice(None), k)), True) for k in range(count)])
    for removing in (True, False):
        whole = greedy(respondent, item, lambda p: p.sum(1), removing)
        yield np.repeat(whole[None], count, 0)
    for level in (WORD, PHONEME):
        known = inside(scoring.record(item.id), item, scoring.model.frame_rate, level)
        if known is not None and known.any():
            yield np.repeat(known[:, :, None], item.features.shape[1], 2).astype(np.float64)


def greedy(respondent: Respondent, item: SpeechItem, score: Score, removing: bool) -> NDArray[np.float64]:
    """A map [T, M] in [0, 1] of the rounds in which blocks are removed, or put back, by what they do to a score.

    `score` takes log probabilities [n, O] of the item's tokens to what removal shall lower, or putting back raise, [n].
    """
    blocks = blocks_of(item.features.shape)
    count, fill = int(blocks.max()) + 1, np.broadcast_to(utterance_mean(item.features), item.features.shape)
    out = np.zeros(count, dtype=bool)
    value = np.zeros(count)
    for step in range(ROUNDS):
        left = np.flatnonzero(~out)
        take = min(len(left), round((step + 1) * count / ROUNDS) - int(out.sum()))
        if take <= 0:
            continue
        tried = np.repeat(out[None], len(left), 0)
        tried[np.arange(len(left)), left] = True
        removed = (tried if removing else ~tried)[:, blocks]
        spectrograms = np.where(removed, fill[None], item.features[None])
        scores = score(np.log(np.maximum(respondent.probabilities(item, spectrograms), 1e-300)))
        chosen = left[np.argsort(scores if removing else -scores, kind="stable")[:take]]
        out[chosen] = True
        value[chosen] = 1 - step / ROUNDS
    return np.asarray(value[blocks])


def blocks_of(shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Index [T, M] of the block that each cell of a spectrogram belongs to.

    >>> blocks_of((9, 4))[[0, 7, 8], 0].tolist()
    [0, 0, 4]
    """
    frames, bins = shape
    rows, columns = np.arange(frames) // FRAMES, np.arange(bins) * BANDS // bins
    return np.asarray(rows[:, None] * BANDS + columns[None], dtype=np.int64)


def prefix_map(respondent: Respondent, item: SpeechItem) -> NDArray[np.float64]:
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
