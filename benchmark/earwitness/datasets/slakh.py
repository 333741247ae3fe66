"""Slakh2100 (Manilow et al. 2019, arXiv 1909.08494): music rendered from MIDI, with the stem of every part.

Read from the folders that its archives unpack to: `<split>/TrackNNNNN/` with `mix.flac`, the stems as
`stems/S00.flac` and so on, and `metadata.yaml`, which tells the class and the MIDI program of each stem. The MIDI
itself is not read. BabySlakh's folders are read too: WAV in place of FLAC, and tracks without folders of splits.
"""

from __future__ import annotations

import os
from collections import deque
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import soundfile
import soxr
from pydantic import Field

from earwitness.datasets import BandRecord
from earwitness.datasets.audio_files import SILENCE, beside, check_levels, opened
from earwitness.datasets.cells import as_flag, as_number
from earwitness.datasets.folders import as_path
from earwitness.datasets.instruments import instruments
from earwitness.datasets.slakh_folders import COLUMNS, METADATA, PROMPTS, find_tracks, read_prompts
from earwitness.datasets.subset import Items, Seed, draw, validated
from earwitness.datasets.yaml_files import read_yaml, shown
from earwitness.errors import EarwitnessError, InvalidItemError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["COLUMNS", "PROMPTS", "load", "named"]

WORDS = {
    "Bass": "bass",
    "Brass": "brass",
    "Drums": "drums",
    "Guitar": "guitar",
    "Organ": "organ",
    "Piano": "piano",
    "Pipe": "flute",
    "Strings": "strings",
    "Strings (continued)": "strings",
    "Synth Lead": "synthesizer",
    "Synth Pad": "synthesizer",
}
"""The word for each `inst_class`, after the patches that Slakh2100 was rendered with (slakh-generation's
classes_strict.json): all of Pipe is flutes and piccolos, all of Organ is organs; Piano has electric pianos, a
harpsichord and a clavinet too. Chromatic Percussion (celesta, marimba, bells) has no one word."""
WORDLESS = {
    *("chromatic percussion", "ensemble", "ethnic", "percussive", "reed", "sound effects", "synth effects"),
}
"""Classes of MIDI programs, in small letters, for which there is no one word."""
PROGRAMS = {
    47: "timpani", 52: "choir", 53: "choir", 54: "choir", 55: "",
    64: "saxophone", 65: "saxophone", 66: "saxophone", 67: "saxophone", 68: "oboe", 70: "bassoon", 71: "clarinet",
}  # fmt: skip
"""The word for MIDI programs, from 0, for which their class's word would be wrong; 55 is an orchestra's hit."""
STEPS = 8
"""Windows start at multiples of this part of their length."""
SOUNDING = 1e-3
"""Root mean square over a window, full scale 1, from which on an instrument sounds in it: -60 dB."""
AGAIN = "unpack the track again, or take its folder out"


@dataclass(frozen=True)
class ExcerptPlan:
    """What is cut out of a track and how a prompt says so."""

    seconds: float
    template: str
    most: int
    prompts: Mapping[str, str]
    """Prompts by track, which stand in place of the template."""


@dataclass(frozen=True)
class SlakhTrack:
    """The files of a track."""

    folder: Path
    words: Mapping[str, tuple[Path, ...]]
    """Stems of each instrument word."""
    rate: int
    frames: int

    @property
    def mix(self) -> Path:
        """The sum of all stems."""
        return beside(self.folder / "mix")


@dataclass(frozen=True)
class Window:
    """A stretch of a track."""

    track: SlakhTrack
    start: int
    """First sample, at the track's rate."""
    seconds: float

    def audio(self, sample_rate: int) -> NDArray[np.float32]:
        """Mix [S] at a sample rate; raises InvalidItemError where it cannot be read or is silent."""
        return self._read((self.track.mix,), sample_rate)

    def stems(self, sample_rate: int, words: tuple[str, ...]) -> NDArray[np.float32]:
        """Stems [I, S] of instrument words, those of one word added up, where they may exceed full scale; raises
        InvalidItemError as `audio`."""
        return np.stack([self._read(self.track.words[word], sample_rate) for word in words])

    def _read(self, paths: tuple[Path, ...], sample_rate: int) -> NDArray[np.float32]:
        count = round(self.seconds * self.track.rate)
        audio = np.zeros(count, dtype=np.float32)
        for path in paths:
            with opened(path) as file:
                file.seek(self.start)
                heard, subtype = _exactly(path, file, count), file.subtype
            check_levels(path, heard, subtype)
            audio += heard
        if np.abs(audio).max() < SILENCE:
            begin = self.start / self.track.rate
            raise InvalidItemError(
                f"{' + '.join(str(path) for path in paths)}: silent from {begin:.2f} to {begin + self.seconds:.2f} s; "
                f"name an instrument that sounds there in {PROMPTS}, or take the track's folder out"
            )
        samples = round(self.seconds * sample_rate)
        found: NDArray[np.float32] = soxr.resample(audio, self.track.rate, sample_rate)[:samples]
        found = np.pad(found, (0, samples - len(found)))
        # A sum of stems may lie beyond full scale, and is then what it is: cut, it would be another sound.
        return found.clip(-1, 1) if len(paths) == 1 else found


@dataclass(frozen=True)
class Fault:
    """Stands where a track cannot be used."""

    says: str

    def audio(self, sample_rate: int) -> NDArray[np.float32]:
        """Raise InvalidItemError."""
        raise InvalidItemError(self.says)

    def stems(self, sample_rate: int, words: tuple[str, ...]) -> NDArray[np.float32]:
        """Raise InvalidItemError."""
        raise InvalidItemError(self.says)


@validated
def load(
    source: str,
    *,
    split: str = "test",
    items: Items,
    seed: Seed = 0,
    seconds: Annotated[float, Field(gt=0, le=3600)] = 10.24,
    template: Annotated[str, Field(pattern=r"\{instruments\}")] = "a recording of {instruments}",
    most: Annotated[int, Field(gt=0, le=128)] = 3,
) -> list[BandRecord]:
    """Records of a split's tracks, one each; the folder `source` holds the splits' folders, or tracks.

    A record is the earliest window of `seconds` seconds in which most instruments sound, and its prompt names up to
    `most` of them, the loudest first. Where `source` has a `prompts.csv` with the columns track and prompt, these
    prompts stand instead, and the window is the earliest in which most of the instruments sound that they name. Tracks
    without folders of splits are of any split but train: nobody said which of them to train on. A track that is no use
    is a record whose sound raises InvalidItemError. Raises EarwitnessError where the split or the prompts cannot be
    read, or a prompt's track is in no folder.
    """
    folder = as_path(source)
    tracks = find_tracks(folder, split)
    plan = ExcerptPlan(seconds, template, most, read_prompts(folder, {path.name for path in tracks}))
    return [_record(path, plan) for path in draw(str(folder / split), tracks, items, seed)]


def named(prompt: str, known: Collection[str]) -> tuple[str, ...]:
    """The words of a prompt that are known, in its order; as `instruments.instruments` finds them.

    >>> named("Bass-guitars, drums and a kazoo", {"drums": (), "bass": (), "flute": ()})
    ('bass', 'drums')
    """
    return tuple(dict.fromkeys(name for _, name in instruments(prompt, known)))


def _record(folder: Path, plan: ExcerptPlan) -> BandRecord:
    prompt = plan.prompts.get(folder.name)
    known: tuple[str, ...] = ()
    clip: Window | Fault
    try:
        track = _track(folder)
        start, loudest = _search(track, named(prompt or "", track.words) or tuple(track.words), plan.seconds)
        if prompt is None:
            prompt = plan.template.replace("{instruments}", _listed(loudest[: plan.most]))
        known, clip = tuple(track.words), Window(track, start, plan.seconds)
    except InvalidItemError as error:
        clip = Fault(str(error))
    return BandRecord(
        id=folder.name,
        prompt=prompt or "",
        cluster=folder.name,
        known=known,
        seconds=plan.seconds,
        audio=clip.audio,
        stems=clip.stems,
    )


def _track(folder: Path) -> SlakhTrack:
    """Files of a track whose stems are as long as its mix; raises InvalidItemError, naming the file, where not."""
    words: dict[str, tuple[Path, ...]] = {}
    for path, word in _stems(folder):
        words[word] = (*words.get(word, ()), path)
    if not words:
        raise InvalidItemError(f"{folder / METADATA}: no stem of an instrument that has a word; {AGAIN}")
    mix = beside(folder / "mix")
    with opened(mix) as file:
        _require_mono(mix, file)
        rate, frames = file.samplerate, file.frames
    for path in (path for paths in words.values() for path in paths):
        with opened(path) as file:
            _require_mono(path, file)
            if file.samplerate != rate:
                raise InvalidItemError(f"{path}: sampled at {file.samplerate} Hz and the mix at {rate} Hz; {AGAIN}")
            if file.frames != frames:
                raise InvalidItemError(f"{path}: {file.frames} samples long and the mix {frames}; {AGAIN}")
    return SlakhTrack(folder, dict(sorted(words.items())), rate, frames)


def _stems(folder: Path) -> Iterator[tuple[Path, str]]:
    """Stems of a track with their words, those without a word left out.

    A stem that is said not to be rendered has no file (its flag alone is not trusted: BabySlakh's says so of all).
    Raises InvalidItemError, naming the file and the stem, where the metadata does not tell.
    """
    path = folder / METADATA
    try:
        told = read_yaml(path, AGAIN)
    except EarwitnessError as error:
        raise InvalidItemError(str(error)) from error
    entries = told.get("stems") if isinstance(told, dict) else told
    if not isinstance(entries, dict):
        raise InvalidItemError(f"{path}: a mapping of stems was expected; found {shown(entries)}; {AGAIN}")
    stems = [(name, *_told(path, name, stem)) for name, stem in sorted(entries.items())]
    for name, word, rendered in stems:
        file = beside(folder / "stems" / name)
        if word and (rendered or os.path.isfile(file)):
            yield file, word


def _told(path: Path, name: str, stem: Any) -> tuple[str, bool]:
    """The word for a stem and whether it is said to be rendered; raises InvalidItemError where its entry is none."""
    try:
        return _word(stem), _flag(stem, "audio_rendered", "true")
    except ValueError as error:
        raise InvalidItemError(f"{path}: stem {shown(name)}: {error}; {AGAIN}") from error


def _word(stem: Any) -> str:
    """The word for a stem, by its entry in the metadata; empty where it has none. Raises ValueError on a strange entry.

    >>> _word({"inst_class": "Strings (continued)", "program_num": "52", "is_drum": "false"})
    'choir'
    """
    if not isinstance(stem, dict):
        raise ValueError(f"inst_class, program_num and is_drum were expected; found {shown(stem)}")
    if _flag(stem, "is_drum", "false"):
        return WORDS["Drums"]
    known, told = {each.casefold(): word for each, word in WORDS.items()}, stem.get("inst_class")
    name = told.casefold() if isinstance(told, str) else ""
    if name not in known and name not in WORDLESS:
        raise ValueError(f"inst_class: a class of instruments was expected; found {shown(told)}")
    program = as_number(stem.get("program_num", "-1"))
    if not program.is_integer():
        raise ValueError(f"program_num: a whole number was expected; found {shown(stem.get('program_num'))}")
    return PROGRAMS.get(int(program), known.get(name, ""))


def _flag(stem: dict[str, Any], key: str, default: str) -> bool:
    """The truth value of a key, which may stand in quotes; raises ValueError where it is none."""
    found = as_flag(stem.get(key, default))
    if found is None:
        raise ValueError(f"{key}: true or false was expected; found {shown(stem[key])}")
    return found


def _require_mono(path: Path, file: soundfile.SoundFile) -> None:
    if file.channels != 1:
        raise InvalidItemError(f"{path}: {file.channels} channels; Slakh2100 is mono: {AGAIN}")


def _search(track: SlakhTrack, words: tuple[str, ...], seconds: float) -> tuple[int, list[str]]:
    """First sample of the earliest window in which most of the words sound, and all that sound there, loudest first.

    Raises InvalidItemError where the track is shorter than the window or none of the words ever sounds.
    """
    window = round(seconds * track.rate)
    if track.frames < window:
        raise InvalidItemError(
            f"{track.mix}: {track.frames / track.rate:.2f} s long, shorter than a window of {seconds:g} s; "
            "take the track's folder out, or lower the dataset's seconds"
        )
    step = window // STEPS
    most, start, found = 0, 0, list[str]()
    recent: deque[dict[str, float]] = deque(maxlen=STEPS)
    for index, powers in enumerate(_powers(track, step)):
        recent.append(powers)
        levels = {word: float(np.sqrt(np.mean([powers[word] for powers in recent]))) for word in track.words}
        count = sum(levels[word] >= SOUNDING for word in words)
        if len(recent) == STEPS and count > most:
            most, start = count, min((index + 1 - STEPS) * step, track.frames - window)
            found = sorted((word for word in levels if levels[word] >= SOUNDING), key=lambda word: -levels[word])
        if most == len(words):
            break
    if not most:
        raise InvalidItemError(f"{track.folder}: no stem of {_listed(words)} sounds in it; {AGAIN}")
    return start, found


def _powers(track: SlakhTrack, step: int) -> Iterator[dict[str, float]]:
    """Mean square of each word's stems, added up, in one stretch of `step` samples after the other."""
    with ExitStack() as stack:
        files = {
            word: [(path, stack.enter_context(opened(path))) for path in paths] for word, paths in track.words.items()
        }
        for _ in range(track.frames // step):
            sums = {word: sum(_exactly(path, file, step) for path, file in some) for word, some in files.items()}
            yield {word: float(np.square(audio, dtype=np.float64).mean()) for word, audio in sums.items()}


def _exactly(path: Path, file: soundfile.SoundFile, count: int) -> NDArray[np.float32]:
    """The next samples [count] of a file; raises InvalidItemError where there are fewer."""
    # Of several open files the one that fails must be the one that is named.
    try:
        audio: NDArray[np.float32] = file.read(count, dtype="float32")
    except soundfile.SoundFileError:
        audio = np.zeros(0, dtype=np.float32)
    if len(audio) < count:
        raise InvalidItemError(f"{path}: truncated or damaged; {AGAIN}")
    return audio


def _listed(words: Sequence[str]) -> str:
    """Words as one says them.

    >>> _listed(["bass", "drums", "organ"])
    'bass, drums and organ'
    """
    return " and ".join(part for part in (", ".join(words[:-1]), *words[-1:]) if part)
