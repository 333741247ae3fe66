"""Responses of the speech track: transcripts and probabilities as cells or tokens go, and when words are said.

Letters of shapes as in `tracks.speech`; `Q` is the shares of a curve, which the card's `grid` names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from earwitness.metrics import Response
from earwitness.tracks.speech import Fill

Against = Literal["reference", "hypothesis"]
"""Whether transcripts are compared with the reference or with the model's own transcript of the whole sound."""
WORD, PHONEME = "word", "phoneme"
PREFIX = "prefix"
"""Role, beside the levels, of the earlier words that covered words agree with."""
Level = Literal["word", "phoneme"]
"""Whether a token's interval is its word's, or that of the phonemes that tell its word from another."""


@dataclass(frozen=True)
class SpeechResponse(Response):
    """A response of the speech track."""

    track: ClassVar[str] = "speech"


@dataclass(frozen=True)
class Transcripts(SpeechResponse):
    """Transcripts at each share of cells, compared with a text."""

    insertion: ClassVar[bool]
    """Whether cells are put back rather than removed."""
    goes_by: ClassVar[tuple[str, ...]] = ("normaliser", "unit", "grid", "bound")
    fill: Fill = Fill.MEAN
    against: Against = "reference"


@dataclass(frozen=True)
class DeletionErrors(Transcripts):
    """Word errors [Q] of transcripts as cells are removed, the number of words, its mean over the task, and shares."""

    insertion: ClassVar[bool] = False


@dataclass(frozen=True)
class InsertionErrors(Transcripts):
    """Word errors [Q] of transcripts as cells are put back, the number of words, its mean over the task, and shares."""

    insertion: ClassVar[bool] = True


@dataclass(frozen=True)
class DeletionBleu(Transcripts):
    """BLEU [Q] of the transcripts as cells are removed, and the shares."""

    goes_by: ClassVar[tuple[str, ...]] = ("bleu_tokeniser", "grid", "bound")
    insertion: ClassVar[bool] = False


@dataclass(frozen=True)
class InsertionBleu(Transcripts):
    """BLEU [Q] of the transcripts as cells are put back, and the shares."""

    goes_by: ClassVar[tuple[str, ...]] = ("bleu_tokeniser", "grid", "bound")
    insertion: ClassVar[bool] = True


@dataclass(frozen=True)
class TokenProbabilities(SpeechResponse):
    """The probability [O, O, Q] of token j as the cells of token k's own map are removed, and the shares.

    Of the tokens that were drawn, where the card's `tokens` says so.
    """

    goes_by: ClassVar[tuple[str, ...]] = ("grid", "tokens")
    fill: Fill = Fill.MEAN


@dataclass(frozen=True)
class PrefixProbabilities(SpeechResponse):
    """The probability [k + 1] of each token k of at least two before it, as those are removed."""


@dataclass(frozen=True)
class TrainingDistances(SpeechResponse):
    """The distance [Q] of the inputs from training speech as cells are removed, what is usual there, and the shares."""

    goes_by: ClassVar[tuple[str, ...]] = ("grid",)
    fill: Fill = Fill.MEAN


@dataclass(frozen=True)
class SpectrogramCells(SpeechResponse):
    """The map [O, T, M] of the spectrogram."""


@dataclass(frozen=True)
class PrefixCells(SpeechResponse):
    """The map [O, O] of the tokens before."""


@dataclass(frozen=True)
class PrefixTellers(SpeechResponse):
    """The map [O, O] of the tokens before, and for each covered word's tokens those [O, O] that it agrees with."""

    goes_by: ClassVar[tuple[str, ...]] = ("normaliser",)


@dataclass(frozen=True)
class Frames(SpeechResponse):
    """A map's frames, and the frames in which each token's word is said."""

    goes_by: ClassVar[tuple[str, ...]] = ("normaliser",)
    level: Level = "word"


@dataclass(frozen=True)
class FrameMeans(Frames):
    """Each token's map by frame [O, T], mean over mel bins, and the frames [O, T] in which its word is said."""


@dataclass(frozen=True)
class FramePeaks(Frames):
    """Each token's map by frame [O, T], largest over mel bins, and the frames [O, T] in which its word is said."""
