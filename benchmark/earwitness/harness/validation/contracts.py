"""What a track asks of the models and datasets that serve it: the file `contract` of its scoring."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol, cast

from earwitness import tracks
from earwitness.errors import EarwitnessError

if TYPE_CHECKING:
    from collections.abc import Iterator


class Contract(Protocol):
    """The file `contract` of a track's scoring."""

    RECORD: type[Any]
    """Type of its datasets' records."""
    SAMPLE_RATE: int
    """Hz that records are listened to at."""

    def check_model(self, model: Any) -> Iterator[str]:
        """A line for each thing that a model does otherwise than the interface documents, on one tiny input."""

    def check_record(self, record: Any, sample_rate: int) -> Iterator[str]:
        """A line for each thing that is wrong with a record."""


def of(track: str) -> Contract:
    """The contract of a track; raises EarwitnessError where it has none."""
    name = f"{tracks.load(track).scoring}.contract"
    if find_spec(name) is None:
        raise EarwitnessError(f"the track {track} says nothing of what its models and datasets must do: no {name}")
    return cast("Contract", import_module(name))
