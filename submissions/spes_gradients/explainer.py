"""What SPES averages over dropped superpixels, read from gradients under its masks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated

import numpy as np
import torch
from pydantic import Field

from earwitness.explaining.batches import in_passes
from earwitness.explaining.memory import rows_at_once
from earwitness.explaining.spes import Spes, divergences, dropping_cells, dropping_tokens, normalise
from earwitness.tracks.speech import SpeechItem, SpeechMap, SpeechModel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torch import Tensor

    Asked = Callable[[Tensor], Tensor]


@dataclass
class SpesGradients(Spes):
    """How far each token's distribution moves when a superpixel, or an earlier token, is dropped, by slopes.

    SPES compares the masks that drop a superpixel with those that do not: a mask says one number of all superpixels.
    Here the way from kept to dropped is followed by the divergence's slope at its two ends, so that a mask says one
    number of each. Superpixels, masks and the scale of the map are those of SPES.
    """

    masks: Annotated[int, Field(ge=1)] = 300
    """Masks of the spectrogram, shared evenly among the granularities."""
    prefix_masks: Annotated[int, Field(ge=1)] = 300
    """Masks of the earlier tokens."""

    def explain(self, model: SpeechModel, item: SpeechItem) -> SpeechMap:
        """The map of one item."""
        features = torch.as_tensor(item.features, device=model.device)
        tokens = torch.as_tensor(item.tokens, device=model.device)[None]
        with torch.no_grad():
            original = model.logits(features[None], tokens)[0].double().log_softmax(-1)

        def slope_of_first() -> None:
            rows = features[None].clone().requires_grad_()
            torch.autograd.grad(divergences(original, model.logits(rows, tokens))[:, 0].sum(), rows)

        rows = rows_at_once(slope_of_first, self.batch, model.device)
        rng = np.random.default_rng(item.explainer_seed)
        spectrogram = self._cells(model, item, original, rng, rows)
        return normalise(spectrogram, self._context(model, item, original, rng, rows))

    def _cells(
        self, model: SpeechModel, item: SpeechItem, original: Tensor, rng: np.random.Generator, rows: int
    ) -> np.ndarray:
        """Mean effects [O, T, M] in nats of dropping a cell, over the granularities."""
        dropping = dropping_cells(model, item, original)
        found = np.zeros((len(original), *item.features.shape), dtype=np.float32)
        for labels, masks in zip(self.superpixels(item.features), self.shares(), strict=True):
            where, units = torch.as_tensor(labels.ravel(), device=model.device), int(labels.max()) + 1
            asked, drawn = partial(dropping, where=where), self.draw(rng, masks, units, self.p)
            found += effects(asked, drawn, (len(original), units), rows, model.device).astype(np.float32)[:, labels]
        return found / len(self.segments)

    def _context(
        self, model: SpeechModel, item: SpeechItem, original: Tensor, rng: np.random.Generator, rows: int
    ) -> np.ndarray:
        """Mean effects [O, O] in nats of dropping an earlier token; 0 from the diagonal on."""
        asked, count = dropping_tokens(model, item, original), len(original)
        drawn = self.draw(rng, self.prefix_masks, count, self.prefix_p)
        return np.tril(effects(asked, drawn, (count, count), rows, model.device), -1)


def effects(
    asked: Asked, drawn: Iterable[np.ndarray], shape: tuple[int, int], rows: int, device: torch.device
) -> np.ndarray:
    """Effects [O, U] in nats of dropping each of U units on the divergences of O tokens, averaged over masks.

    `asked` gives divergences [B, O] under masks [B, U], 1 where a unit is dropped; `drawn` are such masks. The effect
    is half the mean slope under masks that drop the unit and half that under those that keep it (the trapezoidal rule
    between the two; exact where the divergence is quadratic in a unit). A side that no mask shows counts 0.
    """
    slopes, seen = np.zeros((2, *shape)), np.zeros((2, shape[1]))
    for bits in drawn:
        sides = np.stack([~bits, bits]).astype(np.float64)

        def of_part(part: slice, bits: np.ndarray = bits, sides: np.ndarray = sides) -> np.ndarray:
            dropped = torch.as_tensor(bits[part], device=device).float().requires_grad_()
            found, tokens = np.zeros((2, *shape)), asked(dropped).sum(0)
            for token, moved in enumerate(tokens):
                (slope,) = torch.autograd.grad(
                    moved, dropped, retain_graph=token + 1 < len(tokens), materialize_grads=True
                )
                found[:, token] = (sides[:, part] * slope.double().cpu().numpy()).sum(1)
            return found

        for found in in_passes(of_part, len(bits), rows):
            slopes += found
        seen += sides.sum(1)
    effect: np.ndarray = (slopes / np.maximum(seen, 1)[:, None]).mean(0)
    return effect
