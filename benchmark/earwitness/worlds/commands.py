"""The language of the spoken world: short commands whose words agree, and a made language in another order.

Nouns agree with their verb, adjectives and places with their determiner: each of these words is of one of two kinds,
and words that agree are of one kind. Words that sound alike in all but one phoneme are of different kinds: where this
phoneme cannot be heard the word that it agrees with still tells which one was said.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from earwitness.seeds import derive


class Slot(StrEnum):
    """What a word does in a command."""

    VERB = "verb"
    DETERMINER = "determiner"
    ADJECTIVE = "adjective"
    NOUN = "noun"
    PREPOSITION = "preposition"
    PLACE = "place"
    TIME = "time"


# espeak-ng says "in the", "on the", "at a", "from the" and "with the" in one breath: no such preposition is here.
WORDS: dict[Slot, tuple[str, ...]] = {
    Slot.VERB: ("take", "make", "hide", "ride", "find", "bind", "watch", "wash", "send", "lend", "pick", "kick"),
    Slot.DETERMINER: ("my", "thy", "four", "more"),
    Slot.ADJECTIVE: ("cold", "gold", "light", "white", "long", "wrong", "deep", "cheap", "wild", "mild"),
    Slot.NOUN: (
        *("lamp", "ramp", "fan", "van", "bell", "ball", "boat", "goat", "cap", "cup"),
        *("pin", "bin", "glass", "grass", "desk", "disk", "bag", "bug", "ship", "sheep"),
    ),
    Slot.PREPOSITION: ("near", "by", "under", "behind"),
    Slot.PLACE: ("hall", "wall", "lake", "lane", "car", "bar"),
    Slot.TIME: ("now", "today", "soon", "again"),
}

PAIRS: tuple[tuple[str, str, int], ...] = (
    *(("my", "thy", 0), ("four", "more", 0)),
    *(("take", "make", 0), ("hide", "ride", 0), ("find", "bind", 0), ("watch", "wash", 2), ("send", "lend", 0)),
    *(("pick", "kick", 0), ("cold", "gold", 0), ("light", "white", 0), ("long", "wrong", 0), ("deep", "cheap", 0)),
    ("wild", "mild", 0),
    *(("lamp", "ramp", 0), ("fan", "van", 0), ("bell", "ball", 1), ("boat", "goat", 0), ("cap", "cup", 1)),
    *(("pin", "bin", 0), ("glass", "grass", 1), ("desk", "disk", 1), ("bag", "bug", 1), ("ship", "sheep", 1)),
    *(("hall", "wall", 0), ("lake", "lane", 2), ("car", "bar", 0)),
)
"""Words of one slot that differ in one phoneme, and which one it is, counted from the first."""

DISTINCT: dict[str, int] = {word: phoneme for one, other, phoneme in PAIRS for word in (one, other)}
"""For each word of a pair, the phoneme that tells it from the other."""

AGREES_WITH: dict[Slot, Slot] = {
    Slot.ADJECTIVE: Slot.DETERMINER,
    Slot.NOUN: Slot.VERB,
    Slot.PLACE: Slot.DETERMINER,
}
"""For each slot whose words agree with an earlier word, the slot of that word (the last one before them)."""

KINDS: dict[str, int] = {word: kind for pair in PAIRS for kind, word in enumerate(pair[:2])}
"""The kind, 0 or 1, of each word of a pair: all that agree with another are."""

OPTIONAL_SHARE = 0.45
"""How often a command has its adjective, its place, its time."""


@dataclass(frozen=True)
class Command:
    """One sentence."""

    words: tuple[str, ...]
    slots: tuple[Slot, ...]

    @property
    def text(self) -> str:
        """The sentence."""
        return " ".join(self.words)

    @property
    def source_of(self) -> tuple[int, ...]:
        """For each word of the translation, the word it renders.

        The time comes first and the verb last; nouns stand before adjectives and determiners, places before their
        preposition.

        >>> Command(tuple("hide my cold lamp now".split()), (*_OBJECT_WITH_ADJECTIVE, Slot.TIME)).source_of
        (4, 3, 2, 1, 0)
        """
        noun = self.slots.index(Slot.NOUN)
        place = [i for i in range(noun + 1, len(self.slots)) if self.slots[i] is not Slot.TIME]
        time = [i for i in range(noun + 1, len(self.slots)) if self.slots[i] is Slot.TIME]
        return (*time, *range(noun, 0, -1), *reversed(place), 0)

    @property
    def agreeing(self) -> tuple[int | None, ...]:
        """For each word, the earlier word that it agrees with; None where it agrees with none.

        >>> Command(tuple("hide my cold lamp now".split()), (*_OBJECT_WITH_ADJECTIVE, Slot.TIME)).agreeing
        (None, None, 1, 0, None)
        """
        found: list[int | None] = []
        for place, slot in enumerate(self.slots):
            before = [i for i in range(place) if self.slots[i] is AGREES_WITH.get(slot)]
            found.append(before[-1] if before else None)
        return tuple(found)

    @property
    def translation(self) -> str:
        """The sentence in the made language."""
        return " ".join(TRANSLATIONS[self.words[i]] for i in self.source_of)


_OBJECT_WITH_ADJECTIVE = (Slot.VERB, Slot.DETERMINER, Slot.ADJECTIVE, Slot.NOUN)


def draw_command(rng: np.random.Generator) -> Command:
    """A command of three to seven words."""
    adjective, place, time = rng.random(3) < OPTIONAL_SHARE
    # Eight words would be more than a command.
    time = time and not (adjective and place)
    slots = (
        *(_OBJECT_WITH_ADJECTIVE if adjective else (Slot.VERB, Slot.DETERMINER, Slot.NOUN)),
        *((Slot.PREPOSITION, Slot.DETERMINER, Slot.PLACE) if place else ()),
        *((Slot.TIME,) if time else ()),
    )
    words: list[str] = []
    for partner in Command(slots, slots).agreeing:
        options = WORDS[slots[len(words)]]
        if partner is not None:
            options = tuple(word for word in options if KINDS[word] == KINDS[words[partner]])
        words.append(options[rng.integers(len(options))])
    return Command(tuple(words), slots)


def vocabulary() -> tuple[str, ...]:
    """Every word of the language that is spoken."""
    return tuple(word for words in WORDS.values() for word in words)


def _invent(words: tuple[str, ...]) -> dict[str, str]:
    """A word of two syllables for each word, whose likeness says nothing about the likeness of what it renders."""
    rng = np.random.default_rng(derive("made language", len(words)))
    syllables = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]
    chosen = rng.permutation(len(syllables) ** 2)[: len(words)]
    return {
        word: syllables[int(number) // len(syllables)] + syllables[int(number) % len(syllables)]
        for word, number in zip(words, chosen, strict=True)
    }


TRANSLATIONS = _invent(vocabulary())
"""The word of the made language for each word."""
