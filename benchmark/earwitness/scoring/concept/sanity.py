"""Sanity checks of the concept track: what is explained are the model's latents, and they change with the model.

The training clips are encoded again by a model whose parameters are drawn anew, and each latent is brought to the mean
and the deviation that it had: a dictionary that reads no more of its latents than those stays as it was. The latents
are moved about by shuffling each of them over all frames by itself, which leaves every latent's values and nothing that
they have in common.

Dictionaries have no common order of features, so that they are compared by what their features do: features are
matched one to one by the ranks of their activations on the item's latents, as the trained model gives them. Nothing is
asked of how they do elsewhere, so that no held-out clip is needed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from scipy.stats import rankdata

from earwitness.scoring.concept.originals import encoded
from earwitness.scoring.sanity import Permuted, TrackSanity
from earwitness.seeds import derive

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from earwitness.tracks.concept import ConceptItem, ConceptModel, Dictionaries, Dictionary

FRAMES = 1000
"""Frames on which activations are compared, spread evenly over an item's."""


class ConceptSanity(TrackSanity):
    """Dictionaries, compared by the activations of matched features."""

    moved = "each latent is shuffled over all frames by itself"

    def run(self, model: ConceptModel, item: ConceptItem) -> None:
        """The encoder, on a second of noise."""
        noise = torch.rand(1, model.sample_rate, generator=torch.Generator().manual_seed(derive(item.id, "noise")))
        with torch.no_grad():
            model.encode(noise.to(model.device) - 0.5, model.kind)

    def under(self, item: ConceptItem, scoring: Any, model: Callable[[], ConceptModel]) -> ConceptItem:
        """The item with its training clips encoded by another model, each latent with the mean and deviation it had."""
        return replace(item, train=alike(encoded(scoring.record(item.id).train, model()), item.train))

    def permuted(self, item: ConceptItem, scoring: Any, seed: int) -> Permuted:
        """The item with each latent's values shuffled over all frames."""
        frames = np.random.default_rng(seed).permuted(item.train.reshape(-1, item.train.shape[-1]), axis=0)
        return Permuted(replace(item, train=frames.reshape(item.train.shape)))

    def agreement(
        self, item: ConceptItem, first: Dictionaries, second: Dictionaries, back: NDArray[np.int64] | None = None
    ) -> float:
        """Mean |Spearman| of matched features, those without a match at 0, averaged over the dictionaries."""
        frames = some_frames(item)
        pairs = zip(first.fitted, second.fitted, strict=True)
        return float(np.mean([matched(one.encode(frames), other.encode(frames)) for one, other in pairs]))

    def magnitudes(self, item: ConceptItem, explanation: Dictionaries) -> list[NDArray[np.float64]]:
        """Sizes of the features' activations in each frame."""
        frames = some_frames(item)
        return [row for each in explanation.fitted for row in _sizes(each, frames)]


def some_frames(item: ConceptItem) -> NDArray[np.float64]:
    """[P, D] at most `FRAMES` of an item's latent frames."""
    frames: NDArray[np.float64] = item.train.reshape(-1, item.train.shape[-1]).astype(np.float64)
    return frames[np.linspace(0, len(frames) - 1, min(FRAMES, len(frames))).astype(np.int64)]


def _sizes(dictionary: Dictionary, frames: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.abs(dictionary.encode(frames)), dtype=np.float64)


def alike(latents: NDArray[np.float32], model: NDArray[np.float32]) -> NDArray[np.float32]:
    """Latents [n, F, D] with the mean and the deviation that each of the D has in others; a constant one has the mean.

    >>> alike(np.array([[[0.0], [2.0]]]), np.array([[[5.0], [9.0]]])).ravel().tolist()
    [5.0, 9.0]
    """
    mean, deviation = latents.mean((0, 1)), latents.std((0, 1))
    centred = (latents - mean) / np.where(deviation > 0, deviation, 1)
    return np.asarray(centred * model.std((0, 1)) + model.mean((0, 1)), dtype=np.float32)


def matched(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Mean |Spearman| over frames of the features of activations [P, C] with their match in others [P, C'].

    Features match one to one, so that the mean is largest; those that never change are left out, those without a match
    count 0, and with nothing to match dictionaries agree where neither has anything.

    >>> x = np.array([[0.0, 3.0], [1.0, 1.0], [2.0, 2.0]])
    >>> [round(matched(x, other), 6) for other in (x[:, ::-1], x[:, :1], np.zeros((3, 2)))]
    [1.0, 0.5, 0.0]
    """
    one, other = _ranks(first), _ranks(second)
    if not one.shape[1] or not other.shape[1]:
        return float(one.shape[1] == other.shape[1])
    similar = np.abs(one.T @ other)
    rows, columns = linear_sum_assignment(similar, maximize=True)
    return float(similar[rows, columns].sum() / max(similar.shape))


def _ranks(activations: NDArray[Any]) -> NDArray[np.float64]:
    """Ranks [P, C'] over frames of the features that change, centred and of length 1."""
    changing = activations[:, np.ptp(activations, axis=0) > 0]
    ranks = rankdata(changing, axis=0)
    ranks = ranks - ranks.mean(0)
    return np.asarray(ranks / np.linalg.norm(ranks, axis=0))


SANITY = ConceptSanity()
