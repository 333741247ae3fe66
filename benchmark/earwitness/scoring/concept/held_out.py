"""What scoring knows of an item of the concept track that no explainer sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class HeldOut:
    """What is known of an item that no explainer sees."""

    names: tuple[str, ...]
    """K factors."""
    correlated: tuple[str, ...]
    """Those that move together in the training clips."""
    train: NDArray[np.float64]
    """[n, K] factors of the training clips."""
    test: NDArray[np.float64]
    """[m, K] factors of the held-out clips."""
    latents: NDArray[np.float32]
    """[m, F, D] of the held-out clips."""
    traced: NDArray[np.float32] | None = None
    """[B, T, F, D] clean latents that each step of traced generations predicts; None where no prompt is traced."""

    def column(self, factor: str) -> int:
        """Place of a factor; raises KeyError where the dataset has none of that name."""
        if factor not in self.names:
            raise KeyError(factor)
        return self.names.index(factor)
