"""The spoken world: commands in many voices, and when each of their words and phonemes is said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from earwitness.datasets import SpeechTruth, Stretch
from earwitness.seeds import derive
from earwitness.worlds.commands import DISTINCT, Command, draw_command
from earwitness.worlds.espeak import SAMPLE_RATE, Voice, speak

VERSION = 1
Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

ACCENTS = ("gmw/en-US", "gmw/en", "gmw/en-GB-x-rp", "gmw/en-GB-scotland", "gmw/en-029", "gmw/en-GB-x-gbclan")
SPEAKERS: dict[Split, tuple[str, ...]] = {
    "train": (
        *("f1", "f2", "f3", "f4", "m1", "m2", "m3", "m4", "m5", "m6", "Alex", "Alicia", "Andrea", "Andy", "Annie"),
        *("Denis", "Diogo", "Gene", "Jacky", "Lee", "Marco", "Michael", "belinda", "antonio", "boris", "gustave"),
        *("ian", "iven", "john", "linda"),
    ),
    "validation": ("f5", "m7", "paul", "steph", "rob", "Hugo"),
    "test": ("m8", "victor", "anika", "pedro", "Mario", "shelby"),
}
"""Variants of espeak-ng's voices; those of one split are never heard in another."""

SENTENCE_SHARES: dict[Split, range] = {"train": range(8), "validation": range(8, 9), "test": range(9, 10)}
"""Which tenths of all sentences belong to a split."""

RATES, PITCHES = (140, 220), (35, 65)
LEVELS_DB = (-32.0, -18.0)
"""Root mean square of the speech, in dB re full scale."""
NOISES_DB = (-45.0, -25.0)
"""Root mean square of the background noise, in dB re speech."""
PAUSES = (0.05, 0.3)
"""Seconds before and after the speech."""
PEAK = 0.98
TILT = 0.9
"""How far a noise sample follows the last one: background noise is stronger at low frequencies."""


@dataclass(frozen=True)
class Utterance:
    """One item of the world."""

    id: str
    split: Split
    command: Command
    voice: Voice
    level_db: float
    noise_db: float
    before: float
    """Seconds of background before the speech."""
    after: float
    """Seconds of background after the speech."""
    entropy: tuple[int, ...]
    """Entropy of the background noise."""

    @property
    def text(self) -> str:
        """What is said."""
        return self.command.text

    @property
    def translation(self) -> str:
        """What is said, in the made language."""
        return self.command.translation


class Recording(NamedTuple):
    """The sound of an utterance."""

    audio: NDArray[np.float32]
    """[S] in [-1, 1] at `SAMPLE_RATE`, in steps of 16 bits: a FLAC file holds it without loss."""
    words: tuple[Stretch, ...]
    """To a tenth of a millisecond."""
    phonemes: tuple[tuple[Stretch, ...], ...]
    """Of each word."""


def utterance(split: Split, index: int, seed: int = 0) -> Utterance:
    """Utterance `index` of a split; other seeds draw other utterances of the same split."""
    entropy = (VERSION, SPLITS.index(split), index, seed)
    rng = np.random.default_rng(np.random.SeedSequence(entropy))
    return Utterance(
        id=f"{split}-{index:05d}" + (f"-{seed}" if seed else ""),
        split=split,
        command=_command(split, rng),
        voice=_voice(split, rng),
        level_db=float(rng.uniform(*LEVELS_DB)),
        noise_db=float(rng.uniform(*NOISES_DB)),
        before=float(rng.uniform(*PAUSES)),
        after=float(rng.uniform(*PAUSES)),
        entropy=entropy,
    )


def owner(text: str) -> Split:
    """The one split that a sentence belongs to."""
    tenth = derive("spoken sentence", text) % 10
    return next(split for split, tenths in SENTENCE_SHARES.items() if tenth in tenths)


def render(said: Utterance) -> Recording:
    """Audio of an utterance and when its words and phonemes are said, bit for bit the same each time.

    Raises EarwitnessError where espeak-ng is missing.
    """
    spoken = speak(said.text, said.voice)
    first, last = (int(seconds * SAMPLE_RATE) for seconds in (spoken.words[0].start, spoken.words[-1].stop))
    before, after = int(said.before * SAMPLE_RATE), int(said.after * SAMPLE_RATE)
    speech = np.pad(spoken.audio[first:last], (before, after)).astype(np.float64)
    speech *= 10 ** (said.level_db / 20) / np.sqrt(np.square(spoken.audio[first:last], dtype=np.float64).mean())
    audio = speech + _background(len(speech), said)
    audio *= min(1.0, PEAK / np.abs(audio).max())
    shift = (before - first) / SAMPLE_RATE
    return Recording(
        audio=(np.round(audio * 2**15) / 2**15).astype(np.float32),
        words=_shifted(spoken.words, shift),
        phonemes=tuple(_shifted(own, shift) for own in spoken.phonemes),
    )


def truth(said: Utterance, recording: Recording, target: Literal["words", "translation"] = "words") -> SpeechTruth:
    """What is known about an utterance whose reference is the command itself, or its translation."""
    words = said.command.words
    return SpeechTruth(
        words=recording.words,
        phonemes=recording.phonemes,
        source_of=tuple(range(len(words))) if target == "words" else said.command.source_of,
        distinct=tuple(_distinct(word, own) for word, own in zip(words, recording.phonemes, strict=True)),
    )


def _distinct(word: str, phonemes: tuple[Stretch, ...]) -> tuple[int, ...]:
    """The phoneme that tells a word from its partner; the last two may have become one."""
    return (min(DISTINCT[word], len(phonemes) - 1),) if word in DISTINCT else ()


def _command(split: Split, rng: np.random.Generator) -> Command:
    while owner((drawn := draw_command(rng)).text) != split:
        pass
    return drawn


def _voice(split: Split, rng: np.random.Generator) -> Voice:
    accent, speaker = rng.integers(len(ACCENTS)), rng.integers(len(SPEAKERS[split]))
    return Voice(
        name=f"{ACCENTS[accent]}+{SPEAKERS[split][speaker]}",
        rate=int(rng.integers(RATES[0], RATES[1] + 1)),
        pitch=int(rng.integers(PITCHES[0], PITCHES[1] + 1)),
    )


def _background(samples: int, said: Utterance) -> NDArray[np.float64]:
    rng = np.random.default_rng(np.random.SeedSequence((*said.entropy, 1)))
    noise = np.asarray(lfilter([1.0], [1.0, -TILT], rng.standard_normal(samples)))
    gain = 10 ** ((said.level_db + said.noise_db) / 20) / np.sqrt(np.square(noise).mean())
    return np.asarray(noise * gain)


def _shifted(stretches: tuple[Stretch, ...], seconds: float) -> tuple[Stretch, ...]:
    def moved(time: float) -> float:
        return round(time + seconds, 4)

    return tuple(Stretch(one.text, moved(one.start), moved(one.stop)) for one in stretches)
