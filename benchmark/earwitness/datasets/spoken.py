"""The spoken world as a dataset: commands with the truth of every word, rendered or from a folder of FLAC files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import soundfile
from numpy.typing import NDArray

from earwitness.atomic import atomic_write
from earwitness.datasets import SpeechRecord, SpeechTruth, Stretch
from earwitness.datasets.audio_files import AudioFile
from earwitness.datasets.folders import as_path
from earwitness.datasets.subset import Items, Seed, validated
from earwitness.errors import EarwitnessError, InvalidItemError
from earwitness.results.clusters import crossed
from earwitness.worlds.espeak import SAMPLE_RATE
from earwitness.worlds.spoken import SPLITS, Recording, Split, Utterance, render, truth, utterance
from earwitness.worlds.spoken import VERSION as VERSION

MADE = True
INDEX = "index.json"

Target = Literal["words", "translation"]
TARGETS: tuple[Target, ...] = get_args(Target)


@validated
def load(
    source: str = "",
    *,
    split: str = "test",
    items: Items,
    seed: Seed = 0,
    target: str = "words",
) -> list[SpeechRecord]:
    """The first `items` utterances of a split: of a folder that `write_audio` wrote, or rendered where there is none.

    `target` says whether the reference is the command itself or its translation. Clusters are sentences crossed with
    speakers. Raises EarwitnessError where there is no such split or target, espeak-ng is missing, or the folder is no
    use.
    """
    kind, part = _target(target), _split(split)
    if source:
        folder = as_path(source)
        return [_kept_record(folder, entry, kind) for entry in _read_index(folder, part, items)]
    return [_made_record(utterance(part, index, seed), kind) for index in range(items)]


def write_audio(folder: str | Path, split: Split, count: int) -> None:
    """Render the first `count` utterances of a split into a folder: a FLAC file each, and `index.json`."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for index in range(count):
        said = utterance(split, index)
        recording = render(said)
        soundfile.write(folder / f"{said.id}.flac", recording.audio, SAMPLE_RATE, subtype="PCM_16")
        entries.append(_entry(said, recording))
    lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries)
    text = f'{{"version": {VERSION}, "split": "{split}", "utterances": [\n{lines}\n]}}\n'
    with atomic_write(folder / INDEX) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _entry(said: Utterance, recording: Recording) -> dict[str, Any]:
    known = truth(said, recording)
    return {
        "id": said.id,
        "file": f"{said.id}.flac",
        "text": said.text,
        "translation": said.translation,
        "drowned": said.drowned,
        "follows": {target: truth(said, recording, target).follows for target in TARGETS},
        "source_of": {target: list(truth(said, recording, target).source_of) for target in TARGETS},
        "voice": {"name": said.voice.name, "rate": said.voice.rate, "pitch": said.voice.pitch},
        "words": [_written(word) for word in known.words],
        "phonemes": [[_written(phoneme) for phoneme in own] for own in known.phonemes],
        "distinct": known.distinct,
    }


def _written(stretch: Stretch) -> tuple[str, float, float]:
    return stretch.text, stretch.start, stretch.stop


def _read_index(folder: Path, split: Split, items: int) -> list[dict[str, Any]]:
    path = folder / INDEX
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        entries: list[dict[str, Any]] = index["utterances"]
        found = index["split"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EarwitnessError(f"{path} is no index of spoken commands ({error}): write it again") from error
    if found != split:
        raise EarwitnessError(f"{path} holds the split {found}, not {split}: give no source to render other utterances")
    if len(entries) < items:
        raise EarwitnessError(f"{path} holds {len(entries)} utterances, not {items}: ask for fewer")
    return entries[:items]


def _kept_record(folder: Path, entry: dict[str, Any], target: Target) -> SpeechRecord:
    try:
        known = SpeechTruth(
            words=_stretches(entry["words"]),
            phonemes=tuple(_stretches(own) for own in entry["phonemes"]),
            source_of=tuple(entry["source_of"][target]),
            distinct=tuple(tuple(own) for own in entry["distinct"]),
            follows=tuple(entry["follows"][target]),
        )
        reference = str(entry["text" if target == "words" else "translation"])
        audio = AudioFile(folder / str(entry["file"]))
        cluster = crossed(str(entry["text"]), _speaker(str(entry["voice"]["name"])))
        return SpeechRecord(str(entry["id"]), reference, cluster, audio, known)
    except (KeyError, TypeError, ValueError) as error:
        raise EarwitnessError(f"{folder / INDEX} has a broken utterance ({error}): write it again") from error


def _stretches(written: list[Any]) -> tuple[Stretch, ...]:
    return tuple(Stretch(str(text), float(start), float(stop)) for text, start, stop in written)


def _made_record(said: Utterance, target: Target) -> SpeechRecord:
    recording = render(said)
    reference = said.text if target == "words" else said.translation
    known = truth(said, recording, target)
    return SpeechRecord(
        said.id, reference, crossed(said.text, _speaker(said.voice.name)), _heard(recording.audio), known
    )


def _speaker(voice: str) -> str:
    """The speaker of a voice, whatever the accent.

    >>> _speaker("gmw/en-US+anika")
    'anika'
    """
    return voice.rpartition("+")[2]


def _heard(audio: NDArray[np.float32]) -> Callable[[int], NDArray[np.float32]]:
    def at(sample_rate: int) -> NDArray[np.float32]:
        if sample_rate != SAMPLE_RATE:
            raise InvalidItemError(
                f"spoken commands are made at {SAMPLE_RATE} Hz, and the model hears {sample_rate} Hz"
            )
        return audio

    return at


def _split(name: str) -> Split:
    for known in SPLITS:
        if known == name:
            return known
    raise EarwitnessError(f"the spoken world has no split {name!r}; splits: {', '.join(SPLITS)}")


def _target(name: str) -> Target:
    for known in TARGETS:
        if known == name:
            return known
    raise EarwitnessError(f"the spoken world has no target {name!r}; targets: {', '.join(TARGETS)}")
