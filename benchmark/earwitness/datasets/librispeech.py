"""LibriSpeech (Panayotov et al. 2015): read English speech, 16 kHz, with transcripts.

Read from the folders that its archives unpack to: `<split>/<speaker>/<chapter>/<speaker>-<chapter>.trans.txt`, whose
lines are an utterance's id and its words, and beside it the sound of each utterance as `<id>.flac`, or as WAV or
another kind of file that is read where no FLAC is there. When words are said the archives do not tell; an aligner does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from earwitness.datasets import SpeechRecord
from earwitness.datasets.audio_files import SUFFIXES, AudioFile, Unusable
from earwitness.datasets.folders import as_path, is_hidden
from earwitness.datasets.forced_alignment import aligned
from earwitness.datasets.subset import Items, Seed, draw, validated
from earwitness.datasets.text_files import read_lines
from earwitness.errors import EarwitnessError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

ENDING = ".trans.txt"
WORDLESS = "an utterance's id without words; write them, or leave its row invalid"


@validated
def load(
    source: str, *, split: str = "test-clean", items: Items, seed: Seed = 0, alignments: str = ""
) -> list[SpeechRecord]:
    """Records of a split; the folder `source` holds the splits' folders.

    References are lower-case, as published without punctuation; a cluster is a speaker. Sounds are read when they are
    asked for, and that of an utterance without words, or without a line in any transcript, raises InvalidItemError.
    Raises EarwitnessError, naming file and line, where the split cannot be read or has an id twice.

    `alignments` names a file, or a folder, from the folder `source` on, in which an aligner left when words are said:
    TextGrid, CTM or JSON (`aligner_files`); of a folder that has one of the split's name, that alone is looked at.
    Each record then has its truth: its words, and their phones where they are told of. The sound of one whose alignment
    is missing or is no use raises InvalidItemError. Without `alignments` no record has truth.
    """
    folder = as_path(source) / split
    if not folder.is_dir():
        raise EarwitnessError(
            f"{folder}: no such folder; unpack LibriSpeech's {split} there, or name the folder that holds {split} as "
            "the task's dataset source"
        )
    records = draw(str(folder), list(_records(folder)), items, seed)
    if not alignments:
        return records
    place = as_path(source) / as_path(alignments)
    return aligned(records, place / split if (place / split).is_dir() else place)


def _records(folder: Path) -> Iterator[SpeechRecord]:
    """Records of all transcripts below a split's folder, in the order of their files, and of sounds that none has."""
    seen: dict[str, str] = {}
    there = sorted(path for path in folder.rglob("*") if not is_hidden(path, folder))
    transcripts = [path for path in there if path.name.lower().endswith(ENDING) and not path.is_dir()]
    if not transcripts:
        raise EarwitnessError(f"{folder}: no items in this split: no transcripts (*{ENDING}) below it; unpack it again")
    for path in transcripts:
        for number, line in enumerate(read_lines(path, "unpack the split again"), start=1):
            where = f"{path}, line {number}"
            if not line.strip():
                continue
            identifier, *words = line.split(maxsplit=1)
            text = " ".join(" ".join(words).lower().split())
            if identifier in seen:
                raise EarwitnessError(
                    f"{where}: utterance {identifier!r} stands in {seen[identifier]} already; take one out"
                )
            seen[identifier] = where
            spoken = any(character.isalnum() for character in text)
            yield SpeechRecord(
                id=identifier,
                reference=text,
                cluster=_speaker(folder, path, identifier),
                audio=AudioFile(path.parent / f"{identifier}.flac") if spoken else Unusable(f"{where}: {WORDLESS}"),
            )
    yield from _unlisted(folder, [path for path in there if path.suffix.lower() in SUFFIXES], seen)


def _unlisted(folder: Path, sounds: list[Path], listed: Collection[str]) -> Iterator[SpeechRecord]:
    """Records, no use, of sounds that no transcript has, by their names; a name's next is told with its folders."""
    names = set(listed)
    for path in sorted({path.with_suffix("") for path in sounds if path.stem not in listed}):
        name = path.name if path.name not in names else path.relative_to(folder).as_posix()
        names.add(name)
        reason = f"{path}: a sound without a line in any transcript; write one, or take the sound out"
        yield SpeechRecord(id=name, reference="", cluster=_speaker(folder, path, name), audio=Unusable(reason))


def _speaker(folder: Path, path: Path, identifier: str) -> str:
    """The folder below the split's in which a file lies, or what an id begins with where it lies in none."""
    return (path.relative_to(folder).parts[:-1] or (identifier.partition("-")[0],))[0]
