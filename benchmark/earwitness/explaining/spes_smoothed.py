"""SPES on superpixels of the smoothed spectrogram, as its released code cuts them (arXiv 2411.01710)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from earwitness.explaining.spes import Spes
from earwitness.extras import not_installed
from earwitness.tracks.speech import to_unit

try:
    from skimage.segmentation import slic
except ImportError as error:
    raise not_installed("scikit-image", "spes") from error


@dataclass
class SmoothedSpes(Spes):
    """SPES whose superpixels are those of a spectrogram that a Gaussian has smoothed; all else is as there."""

    sigma: Annotated[float, Field(ge=0)] = 1.0
    """Deviation of the Gaussian, in cells; 1 in the released code where its settings name none."""

    def superpixels(self, features: np.ndarray) -> list[np.ndarray]:
        """Labels [T, M] from 0 of each granularity: SLIC of the spectrogram, from 0 to 1, smoothed."""
        scale = min(len(features), self.longest) / self.reference
        image = to_unit(features[None].astype(np.float64))[0]
        found = (
            slic(image, max(1, round(segments * scale)), self.compactness, sigma=self.sigma, channel_axis=None)
            for segments in self.segments
        )
        return [np.unique(labels, return_inverse=True)[1].reshape(image.shape) for labels in found]
