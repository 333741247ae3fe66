"""The tracks: one file each, which is all that a submitter must read.

A file of this package defines `TRACK`, by which everything that serves every track alike finds its types.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from inspect import isfunction
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

from earwitness import plugins
from earwitness.errors import EarwitnessError, InvalidExplanationError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from torch import Tensor


class Item(Protocol):
    """One input to be explained. Frozen; carries what an explainer may know and nothing of the truth."""

    @property
    def id(self) -> str:
        """Name of the item, unique in its task."""

    def arrays(self) -> dict[str, np.ndarray]:
        """Its arrays, by field."""

    def fields(self) -> dict[str, Any]:
        """Its other fields, as JSON types."""

    @classmethod
    def build(cls, fields: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """The item again, from `fields()` and `arrays()`."""


class Explanation(Protocol):
    """What an explainer returns: typed arrays."""

    def arrays(self) -> dict[str, np.ndarray]:
        """Its arrays, by field."""

    @classmethod
    def build(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """The explanation again; raises InvalidExplanationError where the arrays are none."""

    def check(self, item: Any) -> None:
        """Raise InvalidExplanationError unless it is an explanation of this item."""


class Explainer(Protocol):
    """The method under test."""

    def explain(self, model: Any, item: Any) -> Any:
        """The explanation of one item."""

    def explain_batch(self, model: Any, items: Sequence[Any]) -> list[Any]:
        """The explanations of several items, in their order."""


@dataclass(frozen=True)
class Track:
    """A track's name and types."""

    name: str
    question: str
    item: type[Item]
    explanation: type[Explanation]
    explainer: type[Any]
    model: type[Any]
    """Interface of its models, a `Protocol`."""
    from_attribution: Callable[[Any], Any]
    """An explainer made of a callable in captum's manner."""
    scoring: str
    """Package that scores its explanations: its file `scoring` has `open_scoring`, its file `originals` makes items."""


def names() -> list[str]:
    """Names of all tracks.

    >>> "prompt" in names()
    True
    """
    return sorted({*(module.name for module in iter_modules(__path__)), *plugins.points("tracks")})


def load(name: str) -> Track:
    """The track of that name; raises EarwitnessError where there is none."""
    if name not in names():
        raise EarwitnessError(f"no track is called {name!r}; tracks: {', '.join(names())}")
    plugged = name in plugins.points("tracks")
    found = plugins.load("tracks", name) if plugged else import_module(f"{__name__}.{name}")
    track = getattr(found, "TRACK", found)
    if not isinstance(track, Track):
        raise EarwitnessError(plugins.fault_of("tracks", name) or f"plug-in {name!r} of earwitness.tracks is no Track")
    return track


def lacks(interface: type[Any], found: Any) -> list[str]:
    """Names of an interface's members that an object has not, or that are no functions where they must be.

    >>> lacks(load("speech").model, object())[:3]
    ['module', 'device', 'sample_rate']
    """
    values = [name for name in interface.__annotations__ if not name.startswith("_")]
    methods = [name for name, each in vars(interface).items() if isfunction(each) and not name.startswith("_")]
    missing = [name for name in values if not hasattr(found, name)]
    return missing + [name for name in methods if not callable(getattr(found, name, None))]


def attributed(method: Any, forward: Callable[[Tensor], Tensor], inputs: Tensor) -> np.ndarray:
    """What a method in captum's manner attributes to inputs [1, ...], as an array [...].

    `method` is a class of captum's (`IntegratedGradients`), or is called as `method(forward, inputs)`; `forward` takes
    rows [B, ...] and gives a number for each [B]. Raises InvalidExplanationError unless the inputs' shape comes back.
    """
    found = method(forward).attribute(inputs) if hasattr(method, "attribute") else method(forward, inputs)
    array = found.detach().cpu().numpy() if hasattr(found, "detach") else np.asarray(found)
    if array.shape != tuple(inputs.shape):
        raise InvalidExplanationError(
            f"an attribution must have the shape of its inputs, {list(inputs.shape)}; found {list(array.shape)}"
        )
    return np.asarray(array[0], dtype=np.float64)


def require_real(name: str, array: Any, axes: Collection[int], shape: str) -> None:
    """Raise InvalidExplanationError unless it is a real numpy array of one of these numbers of axes, not empty, and
    finite in single precision, as it is stored. `shape` is how its shape is written: `[N, M, T]`.
    """
    # Of a masked array what is masked would be stored as it lies beneath.
    plain = isinstance(array, np.ndarray) and not isinstance(array, np.ma.MaskedArray)
    if not plain or array.dtype.kind not in "fiub" or array.ndim not in axes or not array.size:
        found = f"{array.dtype} {list(array.shape)}" if plain else type(array).__name__
        raise InvalidExplanationError(f"{name} must be a real numpy array {shape}; found {found}")
    with np.errstate(over="ignore"):
        stored = array.astype(np.float32)
    for numbers, what in ((array, "NaN or infinite"), (stored, "beyond single precision")):
        bad = int((~np.isfinite(numbers)).sum())
        if bad:
            raise InvalidExplanationError(f"{name} must be finite; found {bad} of {array.size} {what}")


def in_unit_interval(name: str, array: np.ndarray) -> np.ndarray:
    """An array of values in [0, 1]; what rounding has led out of it by one step is brought back.

    A step is that of single precision at 1, or of the array's own type where that is coarser. Raises
    InvalidExplanationError where a value lies further out.

    >>> in_unit_interval("weights", np.array([0.5, 1 + 1e-7])).tolist()
    [0.5, 1.0]
    """
    low, high = float(array.min()), float(array.max())
    if low >= 0 and high <= 1:
        return array
    step = rounding(array)
    if low < -step or high > 1 + step:
        raise InvalidExplanationError(f"{name} must lie in [0, 1]; found {low:.9g} to {high:.9g}")
    return array.clip(0, 1)


def rounding(array: np.ndarray) -> float:
    """The step between numbers at 1: of single precision, or of the array's own type where that is coarser."""
    coarse = array.dtype if array.dtype.kind == "f" and array.dtype.itemsize < 4 else np.dtype(np.float32)
    return float(np.finfo(coarse).eps) if array.dtype.kind == "f" else 0.0
