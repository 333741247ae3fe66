"""The spoken world: commands in many voices, when each of their words and phonemes is said, and what noise covers.

In most utterances noise stands in place of the one phoneme that tells a word from its partner (phonemic restoration:
Warren, Science 1970). The word that it agrees with says then which of the two it is. Where that word is drowned, too,
only traces around the noise are left in the sound, and what a transcript chose for the one word tells the other.
"""

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

VERSION = 2
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
    "test": (
        *("m8", "victor", "anika", "pedro", "Mario", "shelby", "adam", "benjamin", "travis", "david", "edward"),
        *("marcelo", "miguel", "quincy", "robert", "sandro"),
    ),
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
CLEAR_SHARE = 0.15
"""Share of utterances in which every word can be heard."""
BOTH_SHARE = 0.55
"""How often, in the others, both words of one agreement are drowned."""
ONE_SHARE = 0.5
"""How often, besides, one word of an agreement is drowned whose other word is heard."""
DROWNED_MARGINS = (0.01, 0.05)
"""Seconds by which noise covers more than the phoneme, before and after it: its length does not tell the phoneme."""
DROWNED_DB = 0.0
"""Root mean square of the noise that stands for a phoneme, in dB re speech."""
RAMP = 0.005
"""Seconds in which that noise comes and goes."""
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
    drowned: tuple[int, ...]
    """Words whose telling phoneme cannot be heard."""
    entropy: tuple[int, ...]
    """Entropy of the background noise."""

    @property
    def text(self) -> str:
        """What is said."""
        return self.command.text

    @property
    def told(self) -> bool:
        """Whether no word is drowned together with the word that it agrees with."""
        agreements = [{i, other} for i, other in enumerate(self.command.agreeing) if other is not None]
        return not any(agreement <= set(self.drowned) for agreement in agreements)

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
    command = _command(split, rng)
    return Utterance(
        id=f"{split}-{index:05d}" + (f"-{seed}" if seed else ""),
        split=split,
        command=command,
        voice=_voice(split, rng),
        level_db=float(rng.uniform(*LEVELS_DB)),
        noise_db=float(rng.uniform(*NOISES_DB)),
        before=float(rng.uniform(*PAUSES)),
        after=float(rng.uniform(*PAUSES)),
        drowned=_drowned(command, rng),
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
    shift = (before - first) / SAMPLE_RATE
    phonemes = tuple(_shifted(own, shift) for own in spoken.phonemes)
    audio = _drown(speech, said, phonemes) + _background(len(speech), said)
    audio *= min(1.0, PEAK / np.abs(audio).max())
    return Recording(
        audio=(np.round(audio * 2**15) / 2**15).astype(np.float32),
        words=_shifted(spoken.words, shift),
        phonemes=phonemes,
    )


def truth(said: Utterance, recording: Recording, target: Literal["words", "translation"] = "words") -> SpeechTruth:
    """What is known about an utterance whose reference is the command itself, or its translation."""
    words = said.command.words
    source_of = tuple(range(len(words))) if target == "words" else said.command.source_of
    return SpeechTruth(
        words=recording.words,
        phonemes=recording.phonemes,
        source_of=source_of,
        distinct=tuple(_distinct(word, own) for word, own in zip(words, recording.phonemes, strict=True)),
        follows=_follows(said, source_of),
    )


def _follows(said: Utterance, source_of: tuple[int, ...]) -> tuple[int | None, ...]:
    """For each word of the reference that is drowned, the earlier one that it agrees with; None for all others."""
    partner = {one: other for one, other in enumerate(said.command.agreeing) if other is not None}
    partner |= {other: one for one, other in partner.items()}
    place = {spoken: k for k, spoken in enumerate(source_of)}
    found: list[int | None] = []
    for k, spoken in enumerate(source_of):
        known = place.get(partner.get(spoken, -1), k) if spoken in said.drowned else k
        found.append(known if known < k else None)
    return tuple(found)


def _distinct(word: str, phonemes: tuple[Stretch, ...]) -> tuple[int, ...]:
    """The phoneme that tells a word from its partner; the last two may have become one."""
    return (min(DISTINCT[word], len(phonemes) - 1),) if word in DISTINCT else ()


def _command(split: Split, rng: np.random.Generator) -> Command:
    while owner((drawn := draw_command(rng)).text) != split:
        pass
    return drawn


def _drowned(command: Command, rng: np.random.Generator) -> tuple[int, ...]:
    """Words that are drowned: none, or one of some agreements, and both of one at most."""
    agreements = [(other, one) for one, other in enumerate(command.agreeing) if other is not None]
    clear, both = bool(rng.random() < CLEAR_SHARE), bool(rng.random() < BOTH_SHARE)
    ones = rng.random(len(agreements)) < ONE_SHARE
    sides, chosen = rng.integers(2, size=len(agreements)), int(rng.integers(len(agreements)))
    if clear:
        return ()
    drowned = {agreement[side] for agreement, side, one in zip(agreements, sides, ones, strict=True) if one}
    drowned |= set(agreements[chosen]) if both else {agreements[chosen][sides[chosen]]}
    return tuple(sorted(drowned))


def _drown(
    speech: NDArray[np.float64], said: Utterance, phonemes: tuple[tuple[Stretch, ...], ...]
) -> NDArray[np.float64]:
    """Speech [S] in which noise stands for the telling phoneme of each drowned word."""
    rng = np.random.default_rng(np.random.SeedSequence((*said.entropy, 2)))
    gate = np.zeros(len(speech))
    for word in said.drowned:
        for told in _distinct(said.command.words[word], phonemes[word]):
            before, after = rng.uniform(*DROWNED_MARGINS, 2)
            start, stop = phonemes[word][told].start - before, phonemes[word][told].stop + after
            gate[max(0, int(start * SAMPLE_RATE)) : int(stop * SAMPLE_RATE)] = 1
    ramp = np.hanning(2 * int(RAMP * SAMPLE_RATE) + 1)
    gate = np.clip(np.convolve(gate, ramp / ramp.sum(), "same"), 0, 1)
    noise = rng.standard_normal(len(speech)) * 10 ** ((said.level_db + DROWNED_DB) / 20)
    return np.asarray(speech * (1 - gate) + noise * gate)


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
