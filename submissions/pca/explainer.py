"""Principal components of the latents: the dictionary that loses least for its size, without sparsity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from earwitness.errors import EarwitnessError
from earwitness.explaining.latents import scaled
from earwitness.tracks.concept import Activation, ConceptExplainer, ConceptItem, ConceptModel, Dictionary


@dataclass
class Pca(ConceptExplainer):
    """Directions of largest variance of the centred, scaled latents, largest first; nothing is drawn."""

    components: int = 0
    """Features; 0: as many as latents."""

    def fit(self, model: ConceptModel, item: ConceptItem, seed: int) -> Dictionary:
        """The dictionary of the item's first components."""
        found = scaled(item)
        width = len(found.offset)
        if not 0 <= self.components <= width:
            raise EarwitnessError(f"components must lie in 0 to the {width} latents; found {self.components}")
        frames = found.frames.astype(np.float64)
        axes = np.linalg.eigh(frames.T @ frames)[1].T[::-1][: self.components or width]
        # An eigenvector has no sign of its own: its largest entry is made positive.
        largest = np.take_along_axis(axes, np.abs(axes).argmax(1)[:, None], 1)
        axes = axes * np.sign(largest)
        return found.dictionary(axes.T, np.zeros(len(axes)), axes, Activation.IDENTITY)
