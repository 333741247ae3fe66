"""Steering through a dictionary: how every factor moves in the sound as one is moved in the features."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from earwitness.explaining.batches import in_passes
from earwitness.metrics.arrays import UndefinedError
from earwitness.metrics.probing import pursuit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from earwitness.scoring.concept.features import Features
    from earwitness.scoring.concept.held_out import HeldOut
    from earwitness.tracks.concept import ConceptModel

    Estimator = Callable[[NDArray[np.float32], int], float]

CLIPS = 4
"""Held-out clips that are steered, evenly spread."""


class Steering:
    """Changes of the factors of decoded clips, measured by independent estimators."""

    def __init__(self, model: ConceptModel, estimators: Mapping[str, Estimator]) -> None:
        self.model = model
        self.estimators = estimators

    def moved(self, features: Features, held_out: HeldOut, column: int, k: int) -> NDArray[np.float64]:
        """Changes [n, K] of every factor in standard deviations of the training clips, as one factor is moved up.

        Features move along the pattern that the factor leaves in them: the coefficients of a regression of training
        clips' features on all factors (Haufe et al. 2014: a pattern, not a probe's weights), of the k features that
        tell most of the factor where k is not 0. Latents move by as much for every dictionary: by the size of the
        factor's own pattern in them for one standard deviation, up and down; the change is half the difference.
        NaN where an estimator hears nothing. Raises UndefinedError where a factor has no estimator, or the pattern
        is 0.
        """
        lacking = [name for name in held_out.names if name not in self.estimators]
        if lacking:
            raise UndefinedError(f"no estimator measures {', '.join(lacking)}")
        shift = self.shift(features, held_out, column, k)
        chosen = np.linspace(0, len(held_out.latents) - 1, min(CLIPS, len(held_out.latents))).round().astype(int)
        up, down = (self._measured(held_out, held_out.latents[chosen] + sign * shift) for sign in (1, -1))
        return np.asarray((up - down) / 2 / held_out.train.std(0))

    def shift(self, features: Features, held_out: HeldOut, column: int, k: int) -> NDArray[np.float32]:
        """[D] by which latents move, as long as the factor's pattern in the latents themselves.

        Raises UndefinedError where no feature has a pattern of the factor.
        """
        pattern = patterns(features.train_means, held_out.train)[column]
        if k:
            kept = pursuit(features.train_means, held_out.train[:, column], k)
            pattern = np.where(np.isin(np.arange(len(pattern)), kept), pattern, 0.0)
        shift = pattern @ features.dictionary.decoder
        own = patterns(features.train.mean(1).astype(np.float64), held_out.train)[column]
        size = float(np.linalg.norm(shift))
        if size <= 1e-9 * float(np.linalg.norm(own)):
            raise UndefinedError("no feature has a pattern of this factor")
        return np.asarray(shift / size * np.linalg.norm(own), dtype=np.float32)

    def _measured(self, held_out: HeldOut, latents: NDArray[np.float32]) -> NDArray[np.float64]:
        """[n, K] factors of decoded latents [n, F, D]."""

        @torch.inference_mode()
        def decoded(part: slice) -> NDArray[np.float32]:
            given = torch.from_numpy(latents[part]).to(self.model.device)
            return np.asarray(self.model.decode(given).float().cpu().numpy())

        audio = np.concatenate(list(in_passes(decoded, len(latents), len(latents))))
        rate = self.model.sample_rate
        return np.array([[self.estimators[name](clip, rate) for name in held_out.names] for clip in audio])


def patterns(means: NDArray[np.float64], factors: NDArray[np.float64]) -> NDArray[np.float64]:
    """[K, C] change of clips' features [n, C] with one standard deviation of each factor [n, K], the others held.

    >>> patterns(np.array([[0.0, 1.0], [2.0, 1.0]]), np.array([[-1.0], [1.0]])).round(6).tolist()
    [[1.0, 0.0]]
    """
    scaled = (factors - factors.mean(0)) / factors.std(0)
    return np.asarray(np.linalg.lstsq(scaled, means - means.mean(0), rcond=None)[0])
