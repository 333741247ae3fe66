"""What every metric asks of its arrays, and how it says that an item leaves it without a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class UndefinedError(ValueError):
    """The metric has no value on this item, for the reason given; scoring writes a skipped row."""


def real(name: str, values: ArrayLike, dimensions: int) -> NDArray[np.float64]:
    """The values as float64 with so many dimensions; raises ValueError where empty, misshapen or not finite.

    >>> real("p", [0.25, 0.75], 1).tolist()
    [0.25, 0.75]
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != dimensions or not array.size:
        raise ValueError(f"{name} must have {dimensions} dimensions and be not empty; found shape {list(array.shape)}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite; found {int((~np.isfinite(array)).sum())} NaN or infinite values")
    return array


def same_shape(**arrays: NDArray[np.generic]) -> None:
    """Raise ValueError unless all arrays have one shape."""
    if len({array.shape for array in arrays.values()}) > 1:
        found = ", ".join(f"{name} {list(array.shape)}" for name, array in arrays.items())
        raise ValueError(f"shapes must be equal; found {found}")
