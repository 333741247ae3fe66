"""The grammar of captions of scenes: words of class, loudness, pitch and time, denials, and fillers that mean nothing.

A `Lexicon` says which words there are and what they mean; `PUBLIC` is the published one, `private` gives its words
other meanings.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

import numpy as np

MIN_WORDS, MAX_WORDS = 8, 12
TWICE = {1: 0.6, 2: 0.6, 3: 0.25}
"""Share of events that are named twice, by the number of events: captions of two are as full of meaning as of three."""
DENIED = {1: 0.45, 2: 0.45, 3: 0.2}
"""Share of captions that deny a class, by the number of events."""
EMBELLISHMENTS = (0.6, 0.4)
"""Shares of embellished captions with one and with two embellishments."""
KINDS = {"modifier": 0.35, "event": 0.3, "denial": 0.1, "negator": 0.25}
"""What an embellishment is, and how often where there is room for it."""
SURPLUS_MODIFIER = 0.6
"""Share of a surplus event's loudness, pitch and time that is said."""
BEREFT = 0.5
"""Share of surplus events whose name alone is surplus: what is said of an event says nothing without its name."""


class SceneRole(StrEnum):
    """What a word of a caption does."""

    class_ = "class"
    loudness = "loudness"
    pitch = "pitch"
    time = "time"
    negator = "negator"
    negated = "negated"
    filler = "filler"


MODIFIERS = (SceneRole.loudness, SceneRole.pitch, SceneRole.time)


@dataclass(frozen=True)
class SceneWord:
    """One word of a caption."""

    text: str
    role: SceneRole
    event: int | None
    """Index of the event that the word speaks of; None for fillers, negators and negated words."""


@dataclass(frozen=True)
class SceneCaption:
    """A caption, word by word."""

    words: tuple[SceneWord, ...]

    @property
    def text(self) -> str:
        """The words, separated by single spaces."""
        return " ".join(word.text for word in self.words)


@dataclass(frozen=True)
class EventMeaning:
    """What a caption says about one event; None is not said."""

    label: str
    loudness: str | None = None
    pitch: str | None = None
    time: str | None = None


class Lesson(NamedTuple):
    """A caption as it is taught: it may say more than there is."""

    caption: SceneCaption
    surplus: tuple[bool, ...]
    """[W] True for a word whose state must not be seen by who learns from it: seen, it would say what is not so."""
    labels: tuple[str | None, ...]
    """[W] the class that each word speaks of, be it there or not; None for fillers."""


Words = Mapping[str, tuple[str, ...]]
Phrases = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Lexicon:
    """The words of all roles, and what they mean."""

    classes: Words
    """By label."""
    loudness: Words
    pitch: Words
    time: Words
    negators: tuple[str, ...] = ("no", "without", "not")
    # "a" and "an" are left out: choosing between them tells the next word's first letter.
    articles: tuple[str, ...] = ("the", "some", "one", "this", "that")
    connectives: tuple[str, ...] = ("and", "with", "plus", "alongside")
    links: tuple[str, ...] = ("just", "really", "simply")
    """Between two names of one event."""
    openings: Phrases = (
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
    closings: Phrases = (("nearby",), ("somewhere",), ("outside",), ("around",), ("today",), ("and", "more"))
    clauses: Phrases = (
        ("perhaps",),
        ("indeed",),
        ("we", "think"),
        ("it", "seems"),
        ("as", "they", "say"),
        ("so", "we", "hear"),
        ("in", "the", "distance"),
        ("in", "the", "distance", "we", "think"),
    )
    """They may stand anywhere between phrases."""
    key: int = 0
    """What a private world's scenes are drawn by, too; 0 for the published one."""
    fillers: tuple[str, ...] = field(init=False)
    """Every word that means nothing, sorted."""

    def __post_init__(self) -> None:
        phrases = (*self.openings, *self.closings, *self.clauses)
        words = {*self.articles, *self.connectives, *self.links, *(word for phrase in phrases for word in phrase)}
        object.__setattr__(self, "fillers", tuple(sorted(words)))

    def modifiers(self, role: SceneRole) -> Words:
        """Words of loudness, pitch or time, by value."""
        return {SceneRole.loudness: self.loudness, SceneRole.pitch: self.pitch, SceneRole.time: self.time}[role]

    def vocabulary(self) -> tuple[str, ...]:
        """Every word that a caption can hold, sorted."""
        tables = (self.classes, self.loudness, self.pitch, self.time)
        meant = {word for table in tables for group in table.values() for word in group}
        return tuple(sorted(meant | {*self.negators, *self.fillers}))


PUBLIC = Lexicon(
    classes={
        "bark": ("bark", "barking", "dog"),
        "siren": ("siren", "ambulance", "wailing"),
        "rain": ("rain", "rainfall", "drizzle"),
        "bell": ("bell", "chime", "gong"),
        "engine": ("engine", "motor", "truck"),
        "chirp": ("chirp", "bird", "tweet"),
        "beep": ("beep", "bleep", "buzzer"),
        "hammer": ("hammer", "hammering", "knocking"),
    },
    loudness={"loud": ("loud", "strong", "booming"), "quiet": ("quiet", "soft", "faint")},
    pitch={"high": ("high", "shrill", "thin"), "low": ("low", "deep", "dark")},
    time={"early": ("early", "first", "opening"), "late": ("late", "last", "closing")},
)


def private(seed: int) -> Lexicon:
    """The published words with other meanings: all of them, fillers too, change places by a secret seed above 0."""
    words = PUBLIC.vocabulary()
    drawn = np.random.default_rng(np.random.SeedSequence(seed)).permutation(words).tolist()
    instead = dict(zip(words, drawn, strict=True))

    def listed(group: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(instead[word] for word in group)

    def table(groups: Words) -> Words:
        return {value: listed(group) for value, group in groups.items()}

    def phrases(some: Phrases) -> Phrases:
        return tuple(listed(phrase) for phrase in some)

    return Lexicon(
        classes=table(PUBLIC.classes),
        loudness=table(PUBLIC.loudness),
        pitch=table(PUBLIC.pitch),
        time=table(PUBLIC.time),
        negators=listed(PUBLIC.negators),
        articles=listed(PUBLIC.articles),
        connectives=listed(PUBLIC.connectives),
        links=listed(PUBLIC.links),
        openings=phrases(PUBLIC.openings),
        closings=phrases(PUBLIC.closings),
        clauses=phrases(PUBLIC.clauses),
        key=seed,
    )


def split_of(text: str) -> str:
    """The one split that may hold a caption text: a hash sends 85 % to train, 5 % to validation, 10 % to test."""
    bucket = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big") % 20
    return "validation" if bucket == 0 else "test" if bucket < 3 else "train"


def write(
    meanings: Sequence[EventMeaning], split: str, rng: np.random.Generator, lexicon: Lexicon = PUBLIC
) -> SceneCaption:
    """A caption of 8 to 12 words that says the meanings, in one order or another, and belongs to the split."""
    return teach(meanings, split, rng, lexicon).caption


def teach(
    meanings: Sequence[EventMeaning],
    split: str,
    rng: np.random.Generator,
    lexicon: Lexicon = PUBLIC,
    embellished: bool = False,
) -> Lesson:
    """Like `write`, with what is needed to learn from it; embellished, it says more than there is, if there is room."""
    while True:
        lesson = _Draft(meanings, rng, lexicon).lesson(embellished)
        if split_of(lesson.caption.text) == split:
            return lesson


class _Said(NamedTuple):
    word: SceneWord
    surplus: bool
    label: str | None


@dataclass
class _Phrase:
    """Words that belong together."""

    label: str
    event: int | None = None
    """None where it speaks of none that there is."""
    words: list[_Said] = field(default_factory=list)
    second: list[_Said] = field(default_factory=list)
    """The second name; a filler may come between."""

    @property
    def denied(self) -> bool:
        """Whether a negator opens it."""
        return self.words[0].word.role == SceneRole.negator

    def add(self, text: str, role: SceneRole, surplus: bool, at: int | None = None) -> None:
        place = len(self.words) if at is None else at
        self.words.insert(place, _Said(SceneWord(text, role, self.event), surplus, self.label))


class _Draft:
    """One attempt at a caption."""

    def __init__(self, meanings: Sequence[EventMeaning], rng: np.random.Generator, lexicon: Lexicon) -> None:
        self.meanings, self.rng, self.lexicon = meanings, rng, lexicon
        self.phrases = [self._event(meaning, number) for number, meaning in enumerate(meanings)]
        self.room = MAX_WORDS - sum(len(phrase.words) for phrase in self.phrases)

    def lesson(self, embellished: bool) -> Lesson:
        """The caption, its phrases in a random order, padded by fillers to a random length."""
        if embellished:
            for _ in range(1 + int(self.rng.random() < EMBELLISHMENTS[1])):
                self._embellish()
        if self.room >= 2 and self.rng.random() < DENIED[len(self.meanings)]:
            self._deny(self._absent(), surplus=False)
        for phrase in self.phrases:
            self._name_again(phrase)
        said = self._padded([self.phrases[i] for i in self.rng.permutation(len(self.phrases))])
        return Lesson(
            SceneCaption(tuple(each.word for each in said)),
            tuple(each.surplus for each in said),
            tuple(each.label for each in said),
        )

    def _event(self, meaning: EventMeaning, number: int | None) -> _Phrase:
        surplus, phrase = number is None, _Phrase(meaning.label, number)
        bereft = surplus and self.rng.random() < BEREFT
        phrase.add(self._one(self.lexicon.classes[meaning.label]), SceneRole.class_, surplus)
        for role in MODIFIERS:
            value: str | None = getattr(meaning, role)
            if value is not None:
                self._modify(phrase, role, value, surplus and not bereft)
        return phrase

    def _modify(self, phrase: _Phrase, role: SceneRole, value: str, surplus: bool) -> None:
        text = self._one(self.lexicon.modifiers(role)[value])
        phrase.add(text, role, surplus, at=int(self.rng.integers(len(phrase.words))))

    def _name_again(self, phrase: _Phrase) -> None:
        if phrase.event is None or phrase.denied or self.room < 1:
            return
        if self.rng.random() < TWICE[len(self.meanings)]:
            name = phrase.words[-1].word.text
            others = [text for text in self.lexicon.classes[phrase.label] if text != name]
            phrase.second = [_Said(SceneWord(self._one(others), SceneRole.class_, phrase.event), False, phrase.label)]
            self.room -= 1

    def _deny(self, label: str, surplus: bool) -> None:
        phrase = _Phrase(label)
        phrase.add(self._one(self.lexicon.negators), SceneRole.negator, surplus)
        phrase.add(self._one(self.lexicon.classes[label]), SceneRole.negated, surplus)
        self.phrases.append(phrase)
        self.room -= 2

    def _embellish(self) -> None:
        """Say something that is not so, if there is room."""
        bare = [phrase for phrase in self.phrases if phrase.event is not None and len(phrase.words) == 1]
        fit = {
            "modifier": self.room >= 1,
            "event": self.room >= 1,
            "denial": self.room >= 2,
            "negator": self.room >= 1 and bool(bare),
        }
        kinds = [kind for kind, fits in fit.items() if fits]
        if not kinds:
            return
        shares = np.array([KINDS[kind] for kind in kinds])
        match kinds[int(self.rng.choice(len(kinds), p=shares / shares.sum()))]:
            case "modifier":
                self._embellish_event()
            case "event":
                self._invent()
            case "denial":
                self._deny(self._one(tuple(self.lexicon.classes)), surplus=True)
            case "negator":
                # As a denial has it: the negator stands beside a bare name, which here is true.
                phrase = bare[int(self.rng.integers(len(bare)))]
                phrase.add(self._one(self.lexicon.negators), SceneRole.negator, True, at=0)
                self.room -= 1

    def _embellish_event(self) -> None:
        """A modifier of a value that is not said, or another than is said."""
        number = int(self.rng.integers(len(self.meanings)))
        if self.phrases[number].denied:
            return
        role = MODIFIERS[int(self.rng.integers(len(MODIFIERS)))]
        values = [value for value in self.lexicon.modifiers(role) if value != getattr(self.meanings[number], role)]
        self._modify(self.phrases[number], role, self._one(values), True)
        self.room -= 1

    def _invent(self) -> None:
        """An event that is not there."""
        said: dict[str, str] = {}
        for role in MODIFIERS:
            if len(said) + 1 < self.room and self.rng.random() < SURPLUS_MODIFIER:
                said[role] = self._one(tuple(self.lexicon.modifiers(role)))
        phrase = self._event(EventMeaning(self._absent(), **said), None)
        self.phrases.append(phrase)
        self.room -= len(phrase.words)

    def _absent(self) -> str:
        """A class that is not yet spoken of."""
        spoken = {phrase.label for phrase in self.phrases}
        return self._one([label for label in self.lexicon.classes if label not in spoken])

    def _padded(self, phrases: Sequence[_Phrase]) -> list[_Said]:
        """The phrases with fillers around, between and in them: 8 to 12 words, whatever is said."""
        core = MAX_WORDS - self.room
        length = int(self.rng.integers(max(MIN_WORDS, core), MAX_WORDS + 1))
        pads = None
        while pads is None:
            pads = self._pads(phrases, length - core)
        said: list[_Said] = []
        for number in range(len(phrases) + 1):
            for kind in ("opening", "connective", "clause", "closing", "article"):
                said += _fillers(pads.get((kind, number), ()))
            if number < len(phrases):
                said += [
                    *phrases[number].words,
                    *_fillers(pads.get(("link", number), ())),
                    *phrases[number].second,
                ]
        return said

    def _pads(self, phrases: Sequence[_Phrase], left: int) -> dict[tuple[str, int], tuple[str, ...]] | None:
        """So many fillers, by the places where they may stand; None where the places that were drawn hold fewer."""
        pads: dict[tuple[str, int], tuple[str, ...]] = {}
        slots = list(self._slots(phrases))
        while left and slots:
            place, choices = slots.pop(int(self.rng.integers(len(slots))))
            fitting = [phrase for phrase in choices if len(phrase) <= left]
            pads[place] = fitting[int(self.rng.integers(len(fitting)))]
            left -= len(pads[place])
        return pads if not left else None

    def _slots(self, phrases: Sequence[_Phrase]) -> Iterator[tuple[tuple[str, int], Phrases]]:
        """Where fillers may stand, and which ones."""
        lexicon = self.lexicon
        yield ("opening", 0), lexicon.openings
        yield ("closing", len(phrases)), lexicon.closings
        for number in range(len(phrases) + 1):
            yield ("clause", number), lexicon.clauses
        for number, phrase in enumerate(phrases):
            if number:
                yield ("connective", number), tuple((word,) for word in lexicon.connectives)
            if not phrase.denied:
                yield ("article", number), tuple((word,) for word in lexicon.articles)
            if phrase.second:
                yield ("link", number), tuple((word,) for word in lexicon.links)

    def _one(self, texts: Sequence[str]) -> str:
        return texts[int(self.rng.integers(len(texts)))]


def _fillers(texts: Sequence[str]) -> list[_Said]:
    return [_Said(SceneWord(text, SceneRole.filler, None), False, None) for text in texts]
