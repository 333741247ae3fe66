"""What a track asks of what serves it: the files `contract` (models, datasets) and `draws` (metrics) of its scoring."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol, cast

from earwitness import tracks
from earwitness.errors import EarwitnessError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np

    from earwitness.metrics import Response


class Contract(Protocol):
    """The file `contract` of a track's scoring."""

    RECORD: type[Any]
    """Type of its datasets' records."""
    SAMPLE_RATE: int
    """Hz that records are listened to at."""
    CALLS: Mapping[str, str]
    """Methods of its models that items and scores are made of, and what a call of `check_model` is, in words."""

    def check_model(self, model: Any) -> Iterator[str]:
        """A line for each thing that a model does otherwise than the interface documents, on one tiny input."""

    def check_record(self, record: Any, sample_rate: int) -> Iterator[str]:
        """A line for each thing that is wrong with a record."""

    def sounds(self, record: Any, sample_rate: int) -> dict[str, Any]:
        """Arrays, or lists of them, that a record gives when it is asked for them, by what they are."""


def there(track: str) -> bool:
    """Whether a track has a contract."""
    return find_spec(_name(track)) is not None


def of(track: str) -> Contract:
    """The contract of a track; raises EarwitnessError where it has none."""
    name = _name(track)
    if not there(track):
        raise EarwitnessError(f"the track {track} says nothing of what its models and datasets must do: no {name}")
    return cast("Contract", import_module(name))


def _name(track: str) -> str:
    return f"{tracks.load(track).scoring}.contract"


def drawn(response: Response, random: np.random.Generator) -> tuple[Any, ...]:
    """Arrays at random that fit a response; raises EarwitnessError where its track's scoring draws none of it."""
    name = f"{tracks.load(response.track).scoring}.draws"
    if find_spec(name) is None:
        raise EarwitnessError(f"the track {response.track} draws no arrays: no {name}")
    try:
        arrays: tuple[Any, ...] = import_module(name).draw(response, random)
    except NotImplementedError as error:
        raise EarwitnessError(f"{error} ({name})") from error
    return arrays
