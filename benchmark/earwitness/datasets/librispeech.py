"""LibriSpeech (Panayotov et al. 2015): read English speech, 16 kHz, with transcripts.

Read from the folders that its archives unpack to: `<split>/<speaker>/<chapter>/<speaker>-<chapter>.trans.txt`, whose
lines are an utterance's id and its words, and beside it the sound of each utterance as `<id>.flac`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from earwitness.datasets import SpeechRecord
from earwitness.datasets.audio_files import AudioFile
from earwitness.datasets.subset import draw
from earwitness.datasets.text_files import read_lines
from earwitness.errors import EarwitnessError

if TYPE_CHECKING:
    from collections.abc import Iterator


def load(source: str, *, split: str = "test-clean", items: int, seed: int = 0) -> list[SpeechRecord]:
    """Records of a split; the folder `source` holds the splits' folders.

    References are lower-case, as published without punctuation; a cluster is a speaker. Sounds are read when they are
    asked for. Raises EarwitnessError, naming file and line, where the split cannot be read.
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
    for path in sorted(folder.glob("*/*/*.trans.txt")):
        for number, line in enumerate(read_lines(path, "unpack the split again"), start=1):
            where = f"{path}, line {number}"
            identifier, _, text = line.strip().partition(" ")
            if not identifier or not text.strip():
                raise EarwitnessError(f"{where}: an utterance's id and its words were expected; found {line[:60]!r}")
            if identifier in seen:
                raise EarwitnessError(f"{where}: utterance {identifier!r} stands in {seen[identifier]} already")
            seen[identifier] = where
            yield SpeechRecord(
                id=identifier,
                reference=" ".join(text.lower().split()),
                cluster=path.parent.parent.name,
                audio=AudioFile(path.parent / f"{identifier}.flac"),
            )
