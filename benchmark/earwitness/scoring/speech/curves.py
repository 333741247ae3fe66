"""Curves of one explanation of one utterance, each asked when a metric first reads it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from earwitness.scoring.speech.grids import GRIDS
from earwitness.scoring.speech.removal import fill_seed, gone, ranks, tie_seed, token_seed, without

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from earwitness.scoring.speech.responses import SpeechRespondent
    from earwitness.scoring.speech.training import TrainingSpeech
    from earwitness.scoring.speech.transcripts import Comparison
    from earwitness.tracks.speech import Fill, SpeechItem, SpeechMap


@dataclass
class Curves:
    """What the model answers as an explanation's cells are removed or put back."""

    respondent: SpeechRespondent
    training: TrainingSpeech
    seed_key: str
    item: SpeechItem
    explanation: SpeechMap
    comparison: Comparison
    _transcripts: dict[tuple[Fill, bool], list[str]] = field(default_factory=dict)
    _probabilities: dict[Fill, NDArray[np.float64]] = field(default_factory=dict)
    _distances: dict[Fill, NDArray[np.float64] | None] = field(default_factory=dict)

    @property
    def shares(self) -> NDArray[np.float64]:
        """Shares [Q] of cells at the points of a curve."""
        return np.array(GRIDS[self.comparison.grid])

    @cached_property
    def drawn(self) -> NDArray[np.int64]:
        """The K tokens whose own maps are put to the test, in order: all O, or as many as the comparison says."""
        count, most = len(self.item.tokens), self.comparison.tokens
        if most is None or count <= most:
            return np.arange(count)
        rng = np.random.default_rng(token_seed(self.seed_key, self.item.id))
        return np.sort(rng.choice(count, most, replace=False))

    def transcripts(self, fill: Fill, insertion: bool) -> list[str]:
        """Transcripts at each share of cells removed, or put back, by the mean map over tokens.

        None has more tokens than the comparison allows for the item's own number (`Comparison.most_tokens`).
        """
        key = (fill, insertion)
        if key not in self._transcripts:
            most = self.comparison.most_tokens(len(self.item.tokens))
            self._transcripts[key] = self.respondent.transcripts(self.inputs(fill, insertion), most)
        return self._transcripts[key]

    def inputs(self, fill: Fill, insertion: bool) -> NDArray[np.float32]:
        """Spectrograms [Q, T, M] at each share of cells removed, or put back."""
        return self._without(fill, gone(self._sentence_ranks, self.shares) != insertion)

    def probabilities(self, fill: Fill) -> NDArray[np.float64]:
        """[K, K, Q]: probability of token j as the cells of token k's own map are removed, of the tokens drawn."""
        if fill not in self._probabilities:
            drawn, shares = self.drawn, self.shares
            found = np.empty((len(drawn), len(drawn), len(shares)))
            for k, cells in enumerate(self.explanation.spectrogram[drawn]):
                # With no cell removed, and with all of them, every map leaves the same: the first one's answers serve.
                asked = (k == 0) | ((shares > 0) & (shares < 1))
                rows = self._without(fill, gone(ranks(cells, self._ties), shares[asked]))
                found[k][:, asked] = self.respondent.probabilities(self.item, rows).T[drawn]
                found[k][:, ~asked] = found[0][:, ~asked]
            self._probabilities[fill] = found
        return self._probabilities[fill]

    def prefixes(self) -> list[NDArray[np.float64]]:
        """For each token k of at least two before it, its probability [k + 1] with 0, 1, ..., k of them removed."""
        count = len(self.item.tokens)
        asked = [(k, self._prefix_masks(k)) for k in range(2, count)]
        if not asked:
            return []
        found = self.respondent.prefix_probabilities(self.item, np.concatenate([masks for _, masks in asked]))
        ends = np.cumsum([len(masks) for _, masks in asked])
        return [found[end - len(masks) : end, k] for (k, masks), end in zip(asked, ends, strict=True)]

    def distances(self, fill: Fill) -> NDArray[np.float64] | None:
        """Distance [Q] of the inputs from training speech as cells are removed; None where none is stored."""
        if fill not in self._distances:
            self._distances[fill] = self.training.distances(self.inputs(fill, False))
        return self._distances[fill]

    @cached_property
    def _ties(self) -> int:
        return tie_seed(self.seed_key, self.item.id)

    @cached_property
    def _sentence_ranks(self) -> NDArray[np.int64]:
        return ranks(self.explanation.spectrogram.astype(np.float64).mean(0), self._ties)

    def _without(self, fill: Fill, masks: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Spectrograms [Q, T, M] without the cells of masks [Q, T, M]."""
        seed = fill_seed(self.seed_key, self.item.id, fill)
        return without(fill, self.item.features, masks, self.training.marginal, seed)

    def _prefix_masks(self, k: int) -> NDArray[np.float32]:
        """Masks [k + 1, O] that remove 0, 1, ..., k of the tokens before token k, the highest of its map first."""
        rank = ranks(self.explanation.prefix[k, :k], self._ties)
        masks = np.ones((k + 1, len(self.item.tokens)), dtype=np.float32)
        masks[:, :k] = ~gone(rank, np.linspace(0, 1, k + 1))
        return masks
