"""AIBA: the cross-attention of a generation, averaged and brought to the mel grid (arXiv 2509.20891)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from earwitness.tracks.band import AttentionSums, BandExplainer, BandItem, BandMap, BandModel, generate, on_mel_grid

CONSTANT = 1e-5
"""Share of its largest value within which a map counts as constant: what single precision rounds off and more."""


@dataclass
class Aiba(BandExplainer):
    """Attention averaged over heads, steps and layers, read at the word's tokens or, as printed, at all tokens."""

    form: str = "ours"
    """ours (the sum over the word's own tokens) or printed (the mean over all tokens of the prompt)."""
    layers: Sequence[int] = ()
    """Numbers of the layers whose attention is averaged; none for all."""

    def __post_init__(self) -> None:
        if self.form not in {"ours", "printed"}:
            raise ValueError(f"form must be ours or printed; found {self.form!r}")

    def explain(self, model: BandModel, item: BandItem) -> BandMap:
        """The map of one item: each instrument word's in [0, 1]."""
        return BandMap.of_instruments(item, np.stack([to_unit(found) for found in self.read(model, item)]))

    @torch.inference_mode()
    def read(self, model: BandModel, item: BandItem) -> np.ndarray:
        """Maps [I, M, T] before they are brought to [0, 1]; raises ValueError for a layer that the model has not."""
        unknown = sorted(set(self.layers) - set(range(model.layers)))
        if unknown:
            raise ValueError(f"layers must be among 0 to {model.layers - 1}; found {unknown}")
        seen = AttentionSums()
        generate(model, item, record=seen)
        maps = [
            on_mel_grid(attention[0].mean(0).movedim(-1, 0), item.mel.shape)
            for layer, attention in seen.means().items()
            if not self.layers or layer in self.layers
        ]
        tokens = BandMap(maps=torch.stack(maps).mean(0).cpu().numpy())
        if self.form == "ours":
            return tokens.instruments(item)
        return np.repeat(tokens.maps.mean(0, dtype=np.float64)[None], len(item.instruments), axis=0)


def to_unit(found: np.ndarray) -> np.ndarray:
    """A map between its least and its largest cell; zeros where it is constant but for rounding.

    >>> to_unit(np.array([[1.0, 3.0]])).tolist(), to_unit(np.array([[0.1, 0.1 + 1e-9]])).tolist()
    ([[0.0, 1.0]], [[0.0, 0.0]])
    """
    above = found - found.min()
    largest = float(above.max())
    if largest <= CONSTANT * float(np.abs(found).max()):
        return np.zeros_like(found)
    return np.asarray(above / largest)
