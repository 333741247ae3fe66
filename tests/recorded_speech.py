"""Recorded speech of Debian's pocketsphinx-testdata, laid out as LibriSpeech is: `python tests/recorded_speech.py`.

Readings of LibriVox, spoken cards, digits and commands, 16 kHz mono, with what is said. Files without a header hold
16-bit little-endian samples.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

import soundfile

RATE = 16_000
DATA = Path("usr", "share", "pocketsphinx", "test", "data")
"""Where the package puts them."""
SINGLE = {
    ("forward", "goforward.raw"): "go forward ten meters",
    ("forward", "something.raw"): "go somewhere and do something",
    ("dhd", "tidigits/dhd.2934z.raw"): "two nine three four zero",
}
"""Clips without a transcript beside them."""


class Clip(NamedTuple):
    """A recording and what is said in it."""

    speaker: str
    path: Path
    text: str


def clips(root: Path) -> Iterator[Clip]:
    """The clips of an unpacked package, in the order of their transcripts."""
    data = root / DATA
    for speaker, folder, names, lines in (
        ("austen", "librivox", "fileids", "transcription"),
        ("cards", "cards", "cards.fileids", "cards.transcription"),
    ):
        said = [re.sub(r"</?s>|\(.*\)", "", line).strip() for line in _lines(data / folder / lines)]
        for name, text in zip(_lines(data / folder / names), said, strict=True):
            yield Clip(speaker, data / folder / f"{name}.wav", text)
    for (speaker, name), text in SINGLE.items():
        yield Clip(speaker, data / name, text)


def lay_out(root: Path, folder: Path, split: str = "test-clean", only: Collection[str] = ()) -> list[str]:
    """Write the clips of an unpacked package under `folder` as a split of LibriSpeech; their ids, in order.

    `only` are the ids of those that are wanted, where not all are.
    """
    found: list[str] = []
    counts: dict[str, int] = {}
    for clip in clips(root):
        counts[clip.speaker] = number = counts.get(clip.speaker, -1) + 1
        name = f"{clip.speaker}-1-{number:04d}"
        if only and name not in only:
            continue
        chapter = folder / split / clip.speaker / "1"
        chapter.mkdir(parents=True, exist_ok=True)
        raw = {"channels": 1, "samplerate": RATE, "subtype": "PCM_16", "endian": "LITTLE", "format": "RAW"}
        audio, rate = soundfile.read(clip.path, dtype="int16", **(raw if clip.path.suffix == ".raw" else {}))
        soundfile.write(chapter / f"{name}.flac", audio, rate, subtype="PCM_16")
        with (chapter / f"{clip.speaker}-1.trans.txt").open("a", encoding="utf-8") as lines:
            lines.write(f"{name} {clip.text.upper()}\n")
        found.append(name)
    return found


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python tests/recorded_speech.py UNPACKED FOLDER")
    print(*lay_out(Path(sys.argv[1]), Path(sys.argv[2])), sep="\n")
