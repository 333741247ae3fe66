"""Responses of the band track: maps beside where instruments sound, and what taking a word away changes.

Letters of shapes as in `tracks.band`; `I` is the prompt's instruments.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from earwitness.metrics import Response

Cut = Literal["density", "half"]
"""How a map is cut into cells that it marks and cells that it does not: as many as are true, or the upper half of its
range. At the truth's density precision, recall and F1 are one number."""
Percent = Annotated[int, Field(ge=1, le=100)]


@dataclass(frozen=True)
class BandResponse(Response):
    """A response of the band track."""

    track: ClassVar[str] = "band"
    of_truth: ClassVar[bool] = False
    """Whether it says where the stems sound, and so needs that to be certified."""
    of_frequency: ClassVar[bool] = False
    """Whether nothing but a frequency axis gives it a meaning."""


@dataclass(frozen=True)
class ChosenCells(BandResponse):
    """The cells [I, M, T] that a map marks once it is cut, and those in which each instrument sounds."""

    of_truth: ClassVar[bool] = True
    of_frequency: ClassVar[bool] = True
    cut: Cut = "density"


@dataclass(frozen=True)
class Cells(BandResponse):
    """The maps [I, M, T] of the instrument words, and the cells [I, M, T] in which each instrument sounds."""

    of_truth: ClassVar[bool] = True
    of_frequency: ClassVar[bool] = True


@dataclass(frozen=True)
class TimedCells(BandResponse):
    """The maps [I, M, T] and the cells [I, M, T] in which each instrument sounds, along time alone."""

    of_truth: ClassVar[bool] = True


@dataclass(frozen=True)
class SoundingCells(BandResponse):
    """The cells [I, M, T] in which each instrument sounds."""

    of_frequency: ClassVar[bool] = True


@dataclass(frozen=True)
class WordDifference(BandResponse):
    """The maps [I, M, T], and what each word's removal changes [I, M, T] in the sound."""


@dataclass(frozen=True)
class DeletedPresence(BandResponse):
    """The judge's presence [I] of each named instrument, and [I, I] once a word's top cells have lost its attention."""

    top: Percent = 25
    """Per cent of cells that a word's attention is taken in."""
    judge: str = ""


@dataclass(frozen=True)
class FreshPresence(BandResponse):
    """The judge's presence [I] of each named instrument, and [I] under fresh noise."""

    judge: str = ""
