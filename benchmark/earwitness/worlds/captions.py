"""The grammar of soundscape captions: class, loudness and order words that mean something, fillers that do not."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

MIN_WORDS, MAX_WORDS = 3, 10


class Role(StrEnum):
    """What a word of a caption does."""

    class_ = "class"
    loudness = "loudness"
    order = "order"
    filler = "filler"


@dataclass(frozen=True)
class CaptionWord:
    """One word of a caption."""

    text: str
    role: Role
    event: int | None
    """Index of the event that the word speaks of; None for fillers."""


@dataclass(frozen=True)
class Caption:
    """A caption, word by word."""

    words: tuple[CaptionWord, ...]

    @property
    def text(self) -> str:
        """The words, separated by single spaces."""
        return " ".join(word.text for word in self.words)


@dataclass(frozen=True)
class Meaning:
    """What a caption says about one event."""

    label: str
    loudness: str | None
    order: str | None


CLASS_WORDS: dict[str, tuple[str, ...]] = {
    "bark": ("bark", "barking", "dog"),
    "siren": ("siren", "ambulance", "wailing"),
    "rain": ("rain", "rainfall", "drizzle"),
    "bell": ("bell", "chime", "gong"),
    "engine": ("engine", "motor", "truck"),
    "chirp": ("chirp", "bird", "tweet"),
    "beep": ("beep", "bleep", "buzzer"),
    "hammer": ("hammer", "hammering", "knocking"),
}
LOUDNESS_WORDS: dict[str, tuple[str, ...]] = {
    "loud": ("loud", "strong", "booming"),
    "quiet": ("quiet", "soft", "faint"),
}
ORDER_WORDS: dict[str, tuple[str, ...]] = {
    "early": ("early", "initial", "opening"),
    "late": ("late", "final", "closing"),
}
# "a" and "an" are left out: choosing between them tells the next word's first letter.
ARTICLES = ("the", "some", "one", "this", "that", "")
OPENINGS = (
    (),
    (),
    ("sound", "of"),
    ("there", "is"),
    ("here", "is"),
    ("we", "hear"),
    ("you", "hear"),
    ("noise", "of"),
    ("listen",),
    ("and",),
    ("with",),
    ("plus",),
)
# Connectives open captions of one event, too, and may be missing between two: they do not tell how many there are.
CONNECTIVES = ("and", "with", "plus", "alongside", "")
CLOSINGS = ((), (), ("nearby",), ("somewhere",), ("outside",), ("around",), ("today",), ("and", "more"), ("alongside",))
FILLERS: tuple[str, ...] = tuple(
    sorted(
        {*ARTICLES, *CONNECTIVES, *(w for phrase in (*OPENINGS, *CLOSINGS) for w in phrase)} - {""},
    )
)


def vocabulary() -> tuple[str, ...]:
    """Every word that a caption can hold, sorted."""
    groups = (*CLASS_WORDS.values(), *LOUDNESS_WORDS.values(), *ORDER_WORDS.values(), FILLERS)
    return tuple(sorted({word for group in groups for word in group}))


def split_of(text: str) -> str:
    """The one split that may hold a caption text: a hash sends 85 % to train, 5 % to validation, 10 % to test."""
    bucket = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big") % 20
    return "validation" if bucket == 0 else "test" if bucket < 3 else "train"


def write(meanings: Sequence[Meaning], split: str, rng: np.random.Generator) -> Caption:
    """A caption of 3 to 10 words that says the meanings, in one order or the other, and belongs to the split."""
    while True:
        caption = _draft(meanings, rng)
        if MIN_WORDS <= len(caption.words) <= MAX_WORDS and split_of(caption.text) == split:
            return caption


def _draft(meanings: Sequence[Meaning], rng: np.random.Generator) -> Caption:
    words = [_filler(text) for text in OPENINGS[rng.integers(len(OPENINGS))]]
    for place, event in enumerate(rng.permutation(len(meanings))):
        if place:
            words += _optional(CONNECTIVES, rng)
        words += _noun_phrase(meanings[event], int(event), rng)
    return Caption((*words, *(_filler(text) for text in CLOSINGS[rng.integers(len(CLOSINGS))])))


def _noun_phrase(meaning: Meaning, event: int, rng: np.random.Generator) -> list[CaptionWord]:
    adjectives = []
    if meaning.order is not None:
        adjectives.append(CaptionWord(_choose(ORDER_WORDS[meaning.order], rng), Role.order, event))
    if meaning.loudness is not None:
        adjectives.append(CaptionWord(_choose(LOUDNESS_WORDS[meaning.loudness], rng), Role.loudness, event))
    if rng.random() < 0.5:
        adjectives.reverse()
    noun = CaptionWord(_choose(CLASS_WORDS[meaning.label], rng), Role.class_, event)
    return [*_optional(ARTICLES, rng), *adjectives, noun]


def _filler(text: str) -> CaptionWord:
    return CaptionWord(text, Role.filler, None)


def _optional(texts: Sequence[str], rng: np.random.Generator) -> list[CaptionWord]:
    text = _choose(texts, rng)
    return [_filler(text)] if text else []


def _choose(texts: Sequence[str], rng: np.random.Generator) -> str:
    return texts[int(rng.integers(len(texts)))]
