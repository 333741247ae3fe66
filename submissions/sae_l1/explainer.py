"""A sparse autoencoder with an L1 penalty on its normalised features, which no scaling of the encoder evades."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from earwitness.explaining.l1 import Activity, L1Autoencoder

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class SaeL1(L1Autoencoder):
    """The penalty is |f|_1 / C: between 1 / sqrt(C) where one feature is active and 1 where all are equal."""

    def penalised(self, found: Activity) -> Tensor:
        """|f|_1 / C, averaged over frames."""
        return found.features.mean()
