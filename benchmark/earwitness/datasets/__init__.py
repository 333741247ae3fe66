"""Datasets: one file each, found by a task card: `load(source, split=..., items=..., seed=..., **parameters)`.

A dataset of the prompt track yields `PromptRecord`s, one of the speech track `SpeechRecord`s, one of the band track
`BandRecord`s, one of the concept track `ConceptRecord`s. Truth stays with
scoring: no explainer sees it. `MADE = True` marks a world that draws other items from another seed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class PromptTruth:
    """What a made sound is known to be made of, by the words of its prompt."""

    roles: tuple[str, ...]
    """Role of each whitespace-separated word, as its world calls it: class, loudness, filler and so on."""
    intervals: tuple[tuple[float, float] | None, ...]
    """Seconds in which a word acts: while the event that it speaks of sounds, or while it keeps sound out; None where
    it does neither."""
    labels: tuple[str, ...]
    """Classes that sound."""


@dataclass(frozen=True)
class PromptRecord:
    """One prompt to be explained, with its truth where it is known."""

    id: str
    prompt: str
    cluster: str
    """Records of one cluster are not independent."""
    truth: PromptTruth | None = None
    asked: tuple[float, float] | None = None
    """Seconds of the sound between which it is to be explained; None: all of it."""


@dataclass(frozen=True)
class Stretch:
    """Something that is said, and when."""

    text: str
    start: float
    """Seconds."""
    stop: float
    """Seconds; after `start`."""


@dataclass(frozen=True)
class SpeechTruth:
    """When the words and the phonemes of an utterance are said, from its synthesiser or an aligner."""

    words: tuple[Stretch, ...]
    """The words that are spoken, in their order."""
    phonemes: tuple[tuple[Stretch, ...], ...]
    """Phonemes of each word; empty where only words are aligned."""
    source_of: tuple[int, ...]
    """For each word of the reference transcript, the spoken word that it renders: 0, 1, 2, ... for recognition, another
    order for translation."""
    distinct: tuple[tuple[int, ...], ...] = ()
    """For each spoken word, indices of the phonemes that tell it from another word of the vocabulary that could stand
    in its place and differs in nothing else (lamp, ramp); empty where there is no such word."""
    follows: tuple[int | None, ...] = ()
    """For each word of the reference transcript whose own sound is covered, the earlier word of it that it agrees with;
    None for words that can be heard, or that come first. Empty where nothing is known of it."""


@dataclass(frozen=True)
class SpeechRecord:
    """One utterance to be explained, with its truth where it is known."""

    id: str
    reference: str
    """The right transcript or translation, as the model would write it."""
    cluster: str
    """Records of one cluster are not independent."""
    audio: Callable[[int], NDArray[np.float32]]
    """Mono audio [S] in [-1, 1] at a sample rate; raises InvalidItemError, in one line, where the file is no use."""
    truth: SpeechTruth | None = None


@dataclass(frozen=True)
class BandRecord:
    """One clip of several instruments, with a prompt that names some of them."""

    id: str
    prompt: str
    cluster: str
    """Records of one cluster are not independent."""
    known: tuple[str, ...]
    """The instrument words whose stems are known; those that the prompt names are explained."""
    seconds: float
    """Length of the clip."""
    audio: Callable[[int], NDArray[np.float32]]
    """Mono mix [S] in [-1, 1] at a sample rate; raises InvalidItemError, in one line, where a file is no use."""
    stems: Callable[[int, tuple[str, ...]], NDArray[np.float32]]
    """Stems [I, S] of instrument words at a sample rate; raises InvalidItemError, in one line, where one is no use."""


@dataclass(frozen=True)
class Notes:
    """Clips and what is known of them."""

    audio: Callable[[int], list[NDArray[np.float32]]]
    """Mono clips [S] in [-1, 1] at a sample rate; raises InvalidItemError, in one line, where a file is no use."""
    factors: Mapping[str, NDArray[np.float64]]
    """[n] value of each factor in each clip; only a value may cost something, no name does."""


@dataclass(frozen=True)
class ConceptRecord:
    """Clips to fit a dictionary on, and clips to try it on."""

    id: str
    cluster: str
    """Records of one cluster are not independent."""
    train: Notes
    """Their sounds are what dictionaries are fitted on; their factors are what probes are fitted on."""
    test: Notes
    estimated: tuple[str, ...] = ()
    """Factors that were not known but estimated from the sound."""
    correlated: tuple[str, ...] = ()
    """Factors that move together in the training clips and not in the others; empty where none do."""
    prompts: tuple[str, ...] = ()
    """Prompts whose generation is traced step by step, where the model is a diffusion's autoencoder."""
