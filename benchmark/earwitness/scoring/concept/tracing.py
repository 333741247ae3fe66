"""Tracing: what a dictionary's probes, and the sounds themselves, tell of a factor at each step of a diffusion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from earwitness.explaining.batches import in_passes
from earwitness.metrics.arrays import UndefinedError
from earwitness.metrics.probing import ridge
from earwitness.results.file_names import file_name
from earwitness.scoring.files import read_arrays, write_arrays

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from earwitness.scoring.concept.features import Features
    from earwitness.scoring.concept.held_out import HeldOut
    from earwitness.tracks.concept import ConceptModel

    Estimator = Callable[[NDArray[np.float32], int], float]

BATCH = 16
"""Most steps that are decoded at once; fewer where they do not fit into memory."""


class Tracing:
    """Factors of the sound that each step of traced generations decodes to, kept on disk: no dictionary has a part."""

    def __init__(self, model: ConceptModel, estimators: Mapping[str, Estimator], folder: Path) -> None:
        self.model = model
        self.estimators = estimators
        self._folder = folder
        self._heard: dict[str, NDArray[np.float64]] = {}

    def heard(self, item: str, held_out: HeldOut) -> NDArray[np.float64]:
        """[B, T, K] of each traced clip, step and factor; NaN where the estimator hears nothing, or there is none.

        Raises UndefinedError where no prompt of the item is traced.
        """
        if item not in self._heard:
            if held_out.traced is None:
                raise UndefinedError("no prompt of this item is traced")
            path = self._folder / f"heard-{file_name(item)}.safetensors"
            found = read_arrays(path)
            if found is None:
                write_arrays(path, {"heard": self._measured(held_out.traced, held_out.names)}, {})
                found = read_arrays(path)
                assert found is not None
            self._heard[item] = found[0]["heard"]
        return self._heard[item]

    def _measured(self, traced: NDArray[np.float32], names: tuple[str, ...]) -> NDArray[np.float64]:
        clips, steps, *frame = traced.shape
        flat = torch.from_numpy(traced.reshape(clips * steps, *frame))
        rows: list[list[float]] = []

        @torch.inference_mode()
        def decoded(part: slice) -> NDArray[np.float32]:
            return np.asarray(self.model.decode(flat[part].to(self.model.device)).float().cpu().numpy())

        for sounds in in_passes(decoded, len(flat), BATCH):
            rows += [[self._estimate(name, sound, self.model.sample_rate) for name in names] for sound in sounds]
        return np.array(rows, dtype=np.float64).reshape(clips, steps, len(names))

    def _estimate(self, name: str, sound: NDArray[np.float32], rate: int) -> float:
        return self.estimators[name](sound, rate) if name in self.estimators else float("nan")


def traced_probe(features: Features, held_out: HeldOut, column: int) -> NDArray[np.float64]:
    """[B, T] what a probe of a dictionary's features tells of a factor at each step of traced generations.

    The probe is that of `probe_r2`, fitted on the training clips. Raises UndefinedError where no prompt of the item is
    traced.
    """
    traced = features.traced_means
    if traced is None:
        raise UndefinedError("no prompt of this item is traced")
    probed = ridge(features.train_means, held_out.train[:, column], traced.reshape(-1, traced.shape[-1]))
    return probed.reshape(traced.shape[:2])
