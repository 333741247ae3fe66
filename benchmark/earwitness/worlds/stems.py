"""The stems world: clips of a few instruments, each rendered alone from generated MIDI, and prompts that name them.

No instrument keeps to a band or a time: each plays in another register in every clip, enters late or not, and pauses,
so that the average of other clips says little about this one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from earwitness.worlds.synthesiser import SAMPLE_RATE, Note, Program, play

VERSION = 1
SAMPLES = 32_768
DURATION = SAMPLES / SAMPLE_RATE
"""Seconds of a clip."""

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)


@dataclass(frozen=True)
class Instrument:
    """What an instrument sounds like and how it is played."""

    voice: Program
    keys: tuple[int, ...]
    """MIDI keys from the lowest to the highest; of a percussion voice its drums, by pitch."""
    reach: int
    """Neighbours among the keys, to each side of a clip's centre, that a clip's notes are drawn from."""
    hold: tuple[float, float]
    """Seconds that a key is held."""
    gap: tuple[float, float]
    """Seconds from letting a key go to striking the next."""


def _span(low: int, high: int) -> tuple[int, ...]:
    return tuple(range(low, high + 1))


INSTRUMENTS: dict[str, Instrument] = {
    "bass": Instrument(Program(33), _span(28, 66), 4, (0.15, 0.45), (0.02, 0.2)),
    "organ": Instrument(Program(19), _span(40, 84), 5, (0.3, 0.9), (0.05, 0.3)),
    "trumpet": Instrument(Program(56), _span(46, 86), 5, (0.2, 0.6), (0.05, 0.25)),
    "bell": Instrument(Program(14), _span(55, 96), 5, (0.3, 0.6), (0.02, 0.25)),
    "drum": Instrument(Program(0, True), (36, 41, 45, 50, 38, 61, 60), 0, (0.08, 0.14), (0.03, 0.22)),
    "cymbal": Instrument(Program(0, True), (46, 42, 44, 51, 82, 69, 70), 0, (0.08, 0.2), (0.05, 0.3)),
}
NAMES: tuple[str, ...] = tuple(INSTRUMENTS)

LEVELS = (-27.0, -22.0)
"""Root mean square of a stem over the clip in dB below full scale."""
LATE = 0.55
"""Share of parts that enter late, and of parts that end early."""
LEAST = 0.55
"""Seconds between a part's entry and its end, at least."""

OPENINGS = ("", "music with", "a recording of", "a clip of", "sound of", "here is", "we hear", "this is")
CLOSINGS = ("", "playing", "together", "in a room", "at night", "on stage", "in concert", "for us")
JOINERS = ("and", "with", "plus", "over", "then")
ARTICLES = ("", "", "a", "the", "some", "one")


@dataclass(frozen=True)
class Part:
    """What one instrument plays in a clip."""

    instrument: str
    centre: int
    """Place, among the instrument's keys, that the notes are drawn around."""
    notes: tuple[Note, ...]
    gain_db: float
    """Root mean square of the stem over the clip, in dB below full scale."""


class PromptWord(NamedTuple):
    """One word of a prompt."""

    text: str
    part: int | None
    """Index of the part whose instrument it names; None for fillers."""


@dataclass(frozen=True)
class Clip:
    """One item of the world."""

    id: str
    split: Split
    parts: tuple[Part, ...]
    words: tuple[PromptWord, ...]

    @property
    def prompt(self) -> str:
        """The words, separated by single spaces."""
        return " ".join(word.text for word in self.words)

    @property
    def instruments(self) -> tuple[str, ...]:
        """Names of the instruments that play, in the order of the parts."""
        return tuple(part.instrument for part in self.parts)


class RenderedClip(NamedTuple):
    """The sound of a clip."""

    audio: NDArray[np.float32]
    """[S], the sum of the stems."""
    stems: NDArray[np.float32]
    """[P, S], one for each part."""


def clip(split: Split, index: int, seed: int = 0) -> Clip:
    """Item `index` of a split; other seeds draw other items of the same split.

    Clips of the train split have one to three instruments, those of the others two or three.
    """
    rng = np.random.default_rng(np.random.SeedSequence((VERSION, SPLITS.index(split), index, seed)))
    count = int(rng.integers(1 if split == "train" else 2, 4))
    chosen = rng.choice(len(NAMES), count, replace=False)
    parts = tuple(_part(NAMES[number], rng) for number in chosen)
    words = prompt_words([part.instrument for part in parts], split, rng)
    name = f"{split}-{index:05d}" + (f"-{seed}" if seed else "")
    return Clip(id=name, split=split, parts=parts, words=words)


def prompt_words(instruments: list[str], split: Split, rng: np.random.Generator) -> tuple[PromptWord, ...]:
    """Words of a prompt that names instruments in a random order; how it opens and closes belongs to one split."""
    while True:
        opening, closing = str(rng.choice(OPENINGS)), str(rng.choice(CLOSINGS))
        if split_of(opening, closing) == split:
            break
    order = rng.permutation(len(instruments)).tolist()
    words = [PromptWord(word, None) for word in opening.split()]
    for position, part in enumerate(order):
        if position:
            words.append(PromptWord(str(rng.choice(JOINERS)), None))
        words += [PromptWord(word, None) for word in str(rng.choice(ARTICLES)).split()]
        words.append(PromptWord(instruments[part], part))
    return (*words, *(PromptWord(word, None) for word in closing.split()))


def split_of(opening: str, closing: str) -> Split:
    """The split whose prompts open and close in these words: three fifths of all pairs are the train split's."""
    draw = hashlib.sha256(f"{opening}|{closing}".encode()).digest()[0] % 5
    return SPLITS[max(0, draw - 2)]


def render(made: Clip) -> RenderedClip:
    """Audio and stems of a clip, bit for bit the same each time; scaled down together where they would clip."""
    stems = np.stack([_stem(part) for part in made.parts])
    peak = float(np.abs(stems.sum(0)).max())
    stems = stems * np.float32(min(1.0, 0.99 / max(peak, 1e-9)))
    return RenderedClip(audio=stems.sum(0), stems=stems)


def _stem(part: Part) -> NDArray[np.float32]:
    wave = play(INSTRUMENTS[part.instrument].voice, part.notes, SAMPLES)
    level = float(np.sqrt(np.square(wave, dtype=np.float64).mean()))
    return wave * np.float32(10 ** (part.gain_db / 20) / max(level, 1e-9))


def _part(instrument: str, rng: np.random.Generator) -> Part:
    played = INSTRUMENTS[instrument]
    centre = int(rng.integers(played.reach, len(played.keys) - played.reach))
    while True:
        start = float(rng.uniform(0.3, 1.3)) if rng.random() < LATE else float(rng.uniform(0.0, 0.1))
        stop = float(rng.uniform(0.7, 1.7)) if rng.random() < LATE else DURATION
        if stop - start >= LEAST:
            break
    notes = _notes(played, centre, start, stop, rng)
    return Part(instrument, centre, notes, float(rng.uniform(*LEVELS)))


def _notes(played: Instrument, centre: int, start: float, stop: float, rng: np.random.Generator) -> tuple[Note, ...]:
    """Notes between two times: about one in six is a rest."""
    keys = played.keys[centre - played.reach : centre + played.reach + 1]
    notes: list[Note] = []
    at = start
    while at < stop - 0.1:
        until = min(at + float(rng.uniform(*played.hold)), stop)
        if not notes or rng.random() > 0.17:
            notes.append(Note(int(rng.choice(keys)), int(rng.integers(80, 127)), at, until))
        at = until + float(rng.uniform(*played.gap))
    return tuple(notes)
