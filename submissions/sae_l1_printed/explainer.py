"""A sparse autoencoder as it is printed in arXiv 2510.23802, whose L1 penalty is on the features before their norm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from earwitness.explaining.l1 import Activity, L1Autoencoder

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class SaeL1Printed(L1Autoencoder):
    """The penalty is |h|_1, which falls where the encoder shrinks; f and the output do not change with it."""

    def penalised(self, found: Activity) -> Tensor:
        """|h|_1, averaged over frames."""
        return found.hidden.sum(-1).mean()
