"""SPES: which superpixels of the spectrogram, and which earlier tokens, change what is said (arXiv 2411.01710)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
import torch
from pydantic import Field

from earwitness.explaining.batches import in_passes
from earwitness.explaining.memory import LiveBytes, rows_of
from earwitness.extras import not_installed
from earwitness.tracks.speech import SpeechExplainer, SpeechItem, SpeechMap, SpeechModel, to_unit, utterance_mean

try:
    from skimage.segmentation import slic
except ImportError as error:
    raise not_installed("scikit-image", "spes") from error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor


@dataclass
class Spes(SpeechExplainer):
    """How far each token's distribution moves, on average, when a cell, or an earlier token, is dropped.

    Masks are drawn, and divergences summed, over superpixels; cells see them for a chunk of `batch` masks at a time,
    so that memory does not grow with the number of masks.
    """

    masks: Annotated[int, Field(ge=1)] = 20_000
    """Masks of the spectrogram, shared evenly among the granularities."""
    prefix_masks: Annotated[int, Field(ge=1)] = 2_000
    """Masks of the earlier tokens."""
    segments: Sequence[int] = (2000, 2500, 3000)
    """Superpixels of each granularity for `reference` frames; scaled by the utterance's frames."""
    reference: int = 500
    """Frames at which `segments` are as given."""
    longest: int = 750
    """Frames beyond which `segments` grow no more."""
    compactness: float = 0.1
    """Of the superpixels."""
    p: float = 0.5
    """Probability that a superpixel is dropped."""
    prefix_p: float = 0.4
    """Probability that an earlier token's embedding is zeroed."""
    batch: int = 32
    """Most masks a pass: the chunk that bounds memory; fewer where it would not fit (`explaining.memory`)."""

    @torch.inference_mode()
    def explain(self, model: SpeechModel, item: SpeechItem) -> SpeechMap:
        """The map of one item."""
        features = torch.as_tensor(item.features, device=model.device)
        tokens = torch.as_tensor(item.tokens, device=model.device)[None]
        with LiveBytes() as live:
            logits = model.logits(features[None], tokens)
            original = logits[0].double().log_softmax(-1)
            # Weighed with what is made of the passes that follow; those over prefix masks weigh less.
            divergences(original, logits)
        rows = rows_of(live.peak, self.batch, model.device)
        rng = np.random.default_rng(item.explainer_seed)
        spectrogram = self._cells(model, item, original, rng, rows)
        return normalise(spectrogram, self._context(model, item, original, rng, rows))

    def superpixels(self, features: np.ndarray) -> list[np.ndarray]:
        """Labels [T, M] from 0 of each granularity: SLIC of the spectrogram between its least and largest cell."""
        scale = min(len(features), self.longest) / self.reference
        image = to_unit(features[None].astype(np.float64))[0]
        counts = [max(1, round(segments * scale)) for segments in self.segments]
        found = (
            slic(image, n_segments=count, compactness=self.compactness, sigma=0, channel_axis=None) for count in counts
        )
        return [np.unique(labels, return_inverse=True)[1].reshape(image.shape) for labels in found]

    def shares(self) -> list[int]:
        """Masks of each granularity: equal shares, what is left over to the first.

        >>> Spes(masks=2000).shares()
        [667, 667, 666]
        """
        each, rest = divmod(self.masks, len(self.segments))
        return [each + 1 if index < rest else each for index in range(len(self.segments))]

    def draw(self, rng: np.random.Generator, masks: int, units: int, p: float) -> Iterator[np.ndarray]:
        """Chunks [B, units] of bits that are True where a superpixel or token is dropped, the same for any `batch`."""
        for start in range(0, masks, self.batch):
            yield rng.random((min(self.batch, masks - start), units), dtype=np.float32) < p

    def _cells(
        self, model: SpeechModel, item: SpeechItem, original: Tensor, rng: np.random.Generator, rows: int
    ) -> np.ndarray:
        """Stage A: mean divergences [O, T, M] over the masks that drop the cell; 0 where none does."""
        dropping = dropping_cells(model, item, original)
        sums = np.zeros((len(original), *item.features.shape), dtype=np.float32)
        counts = np.zeros(item.features.shape)
        for labels, masks in zip(self.superpixels(item.features), self.shares(), strict=True):
            units = int(labels.max()) + 1
            where = torch.as_tensor(labels.ravel(), device=model.device)
            moved, dropped = np.zeros((len(original), units)), np.zeros(units)
            for bits in self.draw(rng, masks, units, self.p):
                drawn = torch.as_tensor(bits, device=model.device).float()

                def asked(part: slice, drawn: Tensor = drawn, where: Tensor = where) -> np.ndarray:
                    found = dropping(drawn[part], where)
                    return np.asarray((found.T @ drawn[part].double()).cpu().numpy())

                for found in in_passes(asked, len(drawn), rows):
                    moved += found
                dropped += bits.sum(0)
            sums += moved.astype(np.float32)[:, labels]
            counts += dropped[labels]
        sums /= np.maximum(counts, 1)
        return sums

    def _context(
        self, model: SpeechModel, item: SpeechItem, original: Tensor, rng: np.random.Generator, rows: int
    ) -> np.ndarray:
        """Stage B: mean divergences [O, O] over the masks that drop the earlier token; 0 from the diagonal on."""
        dropping = dropping_tokens(model, item, original)
        moved, dropped = np.zeros((len(original), len(original))), np.zeros(len(original))
        for bits in self.draw(rng, self.prefix_masks, len(original), self.prefix_p):
            drawn = torch.as_tensor(bits, device=model.device).float()

            def asked(part: slice, drawn: Tensor = drawn) -> np.ndarray:
                found = dropping(drawn[part])
                return np.asarray((found.T @ drawn[part].double()).cpu().numpy())

            for found in in_passes(asked, len(drawn), rows):
                moved += found
            dropped += bits.sum(0)
        return np.tril(moved / np.maximum(dropped, 1), -1)


def dropping_cells(model: SpeechModel, item: SpeechItem, original: Tensor) -> Callable[..., Tensor]:
    """Asks for divergences [B, O] in nats under masks [B, U], 1 where a superpixel is dropped.

    The second argument is the superpixel [T * M] of each cell; a dropped one has the utterance's mean of its bins.
    """
    mean = torch.as_tensor(utterance_mean(item.features), device=model.device)
    centred = torch.as_tensor(item.features, device=model.device) - mean
    tokens = torch.as_tensor(item.tokens, device=model.device)[None]

    def asked(dropped: Tensor, where: Tensor) -> Tensor:
        kept = (1 - dropped).index_select(1, where).view(-1, *centred.shape)
        return divergences(original, model.logits(torch.addcmul(mean, kept, centred), tokens))

    return asked


def dropping_tokens(model: SpeechModel, item: SpeechItem, original: Tensor) -> Callable[[Tensor], Tensor]:
    """Asks for divergences [B, O] in nats under masks [B, O], 1 where an earlier token is dropped."""
    features = torch.as_tensor(item.features, device=model.device)[None]
    tokens = torch.as_tensor(item.tokens, device=model.device)[None]
    return lambda dropped: divergences(original, model.logits(features, tokens, 1 - dropped))


def divergences(original: Tensor, logits: Tensor) -> Tensor:
    """KL(p_k || p_k^m) [B, O] in nats, from log-probabilities p [O, V] (double) and logits of p^m [B, O, V].

    In double precision: where a mask changes little, the divergence is smaller than what single precision rounds off.
    """
    return (original.exp() * (original - logits.double().log_softmax(-1))).sum(-1)


def normalise(spectrogram: np.ndarray, prefix: np.ndarray) -> SpeechMap:
    """Scores [O, T, M] and [O, O] as published: z-score per token and modality, then one min-max over both.

    Where a deviation is 0 or undefined (all scores equal, fewer than two earlier tokens) the z-scores are 0; a token
    whose z-scores are all equal has a map of zeros. Overwrites the spectrogram's scores.
    """
    context = np.zeros_like(prefix)
    for k, cells in enumerate(spectrogram):
        cells[...] = z_scores(cells)
        context[k, :k] = z_scores(prefix[k, :k])
        both = to_unit(np.concatenate([cells.ravel(), context[k, :k]])[None].astype(np.float64))[0]
        cells[...] = both[: cells.size].reshape(cells.shape)
        context[k, :k] = both[cells.size :]
    return SpeechMap(spectrogram=spectrogram, prefix=context)


def z_scores(scores: np.ndarray) -> np.ndarray:
    """Scores over their sample deviation, from their mean; zeros where the deviation is 0 (to rounding) or undefined.

    >>> z_scores(np.array([1.0, 3.0])).round(3).tolist(), z_scores(np.array([0.1, 0.1, 0.1])).tolist()
    ([-0.707, 0.707], [0.0, 0.0, 0.0])
    """
    exact = scores.astype(np.float64)
    deviation = exact.std(ddof=1) if exact.size > 1 else 0.0
    rounding = np.finfo(scores.dtype).eps * np.abs(exact).max(initial=0)
    zeros: np.ndarray = np.zeros_like(exact)
    return (exact - exact.mean()) / deviation if deviation > rounding else zeros
