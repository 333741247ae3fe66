"""MuST-C (Di Gangi et al. 2019): segments of English talks, 16 kHz, with translations.

Read from the folders that its archives unpack to. With `en-de` for a pair of languages and `tst-COMMON` for a split,
`en-de/data/tst-COMMON/` holds the talks as `wav/*.wav` and line by line the same segments in three files:
`txt/tst-COMMON.yaml` (duration and offset in seconds, speaker_id, wav), `txt/tst-COMMON.en` and `txt/tst-COMMON.de`.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import Field

from earwitness.datasets import SpeechRecord
from earwitness.datasets.audio_files import AudioFile, Unusable, bare_name
from earwitness.datasets.cells import as_number
from earwitness.datasets.folders import as_path
from earwitness.datasets.subset import Items, Seed, draw, validated
from earwitness.datasets.text_files import read_lines
from earwitness.datasets.yaml_files import read_yaml, shown
from earwitness.errors import EarwitnessError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AGAIN = "unpack the split again"


Name = Annotated[str, Field(pattern=r"^[\w-]+$")]


class Segment(NamedTuple):
    """An entry of a split's list."""

    talk: str
    """Name of its sound's file; empty where the entry names none."""
    audio: AudioFile | Unusable


@validated
def load(
    source: str,
    *,
    split: str = "tst-COMMON",
    items: Items,
    seed: Seed = 0,
    pair: Name = "en-de",
    language: Annotated[str, Field(pattern=r"^[\w-]*$")] = "",
) -> list[SpeechRecord]:
    """Records of a split; the folder `source` holds the folder of the pair of languages.

    References are in `language`, the second of the pair where none is named, with case and punctuation as published;
    a cluster is a talk, and an id is the talk's file and the number of the segment in it, from 0; a segment whose entry
    names no file is its own cluster, `segment-` and its number in the split, from 1. Sounds are read when they are
    asked for, and that of a segment without times, a file or text raises InvalidItemError. Raises EarwitnessError,
    naming file and place, where the split cannot be read.
    """
    language = language or pair.rpartition("-")[2]
    folder = as_path(source) / pair / "data" / split
    if not folder.is_dir():
        raise EarwitnessError(
            f"{folder}: no such folder; unpack MuST-C's {pair} there, or name the folder that holds {pair} as the "
            "task's dataset source"
        )
    segments = _segments(folder / "txt" / f"{split}.yaml")
    texts = folder / "txt" / f"{split}.{language}"
    lines = read_lines(texts, AGAIN)
    if len(lines) != len(segments):
        raise EarwitnessError(
            f"{texts}: {len(lines)} lines for the {len(segments)} segments of {split}.yaml; {AGAIN}: line n of both is "
            "the same segment"
        )
    return draw(str(folder), list(_records(texts, segments, lines)), items, seed)


def _segments(path: Path) -> list[Segment]:
    """Segments of a split; raises EarwitnessError where the file is no list."""
    entries = read_yaml(path, AGAIN)
    if not isinstance(entries, list):
        raise EarwitnessError(f"{path}: a list of segments was expected; found {shown(entries)}; {AGAIN}")
    return [_segment(path, number, entry) for number, entry in enumerate(entries, start=1)]


def _segment(path: Path, number: int, entry: Any) -> Segment:
    """A segment; its sound raises InvalidItemError where its entry has no file, or no times that make a stretch."""
    told = entry if isinstance(entry, dict) else {}
    wav, offset, duration = told.get("wav"), as_number(told.get("offset")), as_number(told.get("duration"))
    talk = bare_name(wav.strip()) if isinstance(wav, str) else ""
    if talk and 0 <= offset < math.inf and 0 < duration < math.inf:
        return Segment(talk, AudioFile(path.parent.parent / "wav" / str(wav), offset, duration))
    found = ", ".join(f"{key} {shown(told[key])}" for key in ("wav", "offset", "duration") if key in told)
    reason = (
        "a wav and its offset and duration in seconds were expected; found "
        f"{found or shown(entry)}; mend it, or leave it invalid"
    )
    return Segment(talk, Unusable(f"{path}, segment {number}: {reason}"))


def _records(texts: Path, segments: list[Segment], lines: list[str]) -> Iterator[SpeechRecord]:
    count: Counter[str] = Counter()
    for number, (segment, line) in enumerate(zip(segments, lines, strict=True), start=1):
        reference, audio = " ".join(line.split()), segment.audio
        if not reference:
            audio = Unusable(f"{texts}, line {number}: no text; take the segment out, or leave its row invalid")
        # A hyphen, where a talk's segments have an underscore, keeps the two kinds of ids apart.
        name = f"{segment.talk}_{count[segment.talk]}" if segment.talk else f"segment-{number}"
        count[segment.talk] += 1
        yield SpeechRecord(id=name, reference=reference, cluster=segment.talk or name, audio=audio)
