"""LibriSpeech (Panayotov et al. 2015): read English speech, 16 kHz, with transcripts.

Read from the folders that its archives unpack to: `<split>/<speaker>/<chapter>/<speaker>-<chapter>.trans.txt`, whose
lines are an utterance's id and its words, and beside it the sound of each utterance as `<id>.flac`, or as WAV or
another kind of file that is read where no FLAC is there.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from earwitness.datasets import SpeechRecord
from earwitness.datasets.audio_files import AudioFile, Unusable
from earwitness.datasets.subset import Items, Seed, draw
from earwitness.datasets.text_files import read_lines
from earwitness.errors import EarwitnessError

if TYPE_CHECKING:
    from collections.abc import Iterator

ENDING = ".trans.txt"
WORDLESS = "an utterance's id without words; write them, or leave its row invalid"


def load(source: str, *, split: str = "test-clean", items: Items, seed: Seed = 0) -> list[SpeechRecord]:
    """Records of a split; the folder `source` holds the splits' folders.

    References are lower-case, as published without punctuation; a cluster is a speaker. Sounds are read when they are
    asked for, and that of an utterance without words raises InvalidItemError. Raises EarwitnessError, naming file and
    line, where the split cannot be read or has an id twice.
    """
    folder = Path(source) / split
    if not folder.is_dir():
        raise EarwitnessError(
            f"{folder}: no such folder; unpack LibriSpeech's {split} there, or name the folder that holds {split} as "
            "the task's dataset source"
        )
    return draw(str(folder), list(_records(folder)), items, seed)


def _records(folder: Path) -> Iterator[SpeechRecord]:
    """Records of all transcripts below a split's folder, in the order of their ids' files."""
    seen: dict[str, str] = {}
    paths = [path for path in folder.rglob("*") if path.name.lower().endswith(ENDING) and path.name[0] != "."]
    if not paths:
        raise EarwitnessError(f"{folder}: no items in this split: no transcripts (*{ENDING}) below it; unpack it again")
    for path in sorted(paths):
        for number, line in enumerate(read_lines(path, "unpack the split again"), start=1):
            where = f"{path}, line {number}"
            if not line.strip():
                continue
            identifier, *words = line.split(maxsplit=1)
            text = " ".join(" ".join(words).lower().split())
            if identifier in seen:
                raise EarwitnessError(f"{where}: utterance {identifier!r} stands in {seen[identifier]} already")
            seen[identifier] = where
            spoken = any(character.isalnum() for character in text)
            yield SpeechRecord(
                id=identifier,
                reference=text,
                cluster=(path.relative_to(folder).parts[:-1] or (identifier.partition("-")[0],))[0],
                audio=AudioFile(path.parent / f"{identifier}.flac") if spoken else Unusable(f"{where}: {WORDLESS}"),
            )
