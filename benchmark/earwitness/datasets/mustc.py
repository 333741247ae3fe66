"""MuST-C (Di Gangi et al. 2019): segments of English talks, 16 kHz, with translations.

Read from the folders that its archives unpack to. With `en-de` for a pair of languages and `tst-COMMON` for a split,
`en-de/data/tst-COMMON/` holds the talks as `wav/*.wav` and line by line the same segments in three files:
`txt/tst-COMMON.yaml` (duration and offset in seconds, speaker_id, wav), `txt/tst-COMMON.en` and `txt/tst-COMMON.de`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from earwitness.datasets import SpeechRecord
from earwitness.datasets.audio_files import AudioFile
from earwitness.datasets.subset import draw
from earwitness.datasets.text_files import read_lines, read_text
from earwitness.errors import EarwitnessError, InvalidItemError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
AGAIN = "unpack the split again"


@dataclass(frozen=True)
class Untranslated:
    """A segment whose line of text is empty: nothing can be compared with a transcript of it."""

    where: str

    def __call__(self, sample_rate: int) -> NDArray[np.float32]:
        """Raise InvalidItemError."""
        raise InvalidItemError(f"{self.where}: no text; take the segment out of the dataset, or leave its row invalid")


def load(
    source: str, *, split: str = "tst-COMMON", items: int, seed: int = 0, pair: str = "en-de", language: str = ""
) -> list[SpeechRecord]:
    """Records of a split; the folder `source` holds the folder of the pair of languages.

    References are in `language`, the second of the pair where none is named, with case and punctuation as published;
    a cluster is a talk, and an id is the talk's file and the number of the segment in it, from 0. Sounds are read when
    they are asked for. Raises EarwitnessError, naming file and place, where the split cannot be read.
    """
    language = language or pair.rpartition("-")[2]
    folder = Path(source) / pair / "data" / split
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


def _segments(path: Path) -> list[AudioFile]:
    """Segments of a split; raises EarwitnessError where an entry is no mapping with duration, offset and wav."""
    try:
        entries = yaml.load(read_text(path, AGAIN), Loader=LOADER)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise EarwitnessError(
            f"{path}{where}: not YAML: {getattr(error, 'problem', None) or error}; {AGAIN}"
        ) from error
    if not isinstance(entries, list):
        raise EarwitnessError(f"{path}: a list of segments was expected; found {type(entries).__name__}; {AGAIN}")
    return [_segment(path, number, entry) for number, entry in enumerate(entries, start=1)]


def _segment(path: Path, number: int, entry: Any) -> AudioFile:
    try:
        wav = path.parent.parent / "wav" / str(entry["wav"])
        return AudioFile(wav, float(entry["offset"]), float(entry["duration"]))
    except (KeyError, TypeError, ValueError) as error:
        raise EarwitnessError(
            f"{path}, segment {number}: duration and offset in seconds and a wav were expected; found "
            f"{' '.join(str(entry).split())[:80]}; {AGAIN}"
        ) from error


def _records(texts: Path, segments: list[AudioFile], lines: list[str]) -> Iterator[SpeechRecord]:
    count: Counter[str] = Counter()
    for number, (segment, line) in enumerate(zip(segments, lines, strict=True), start=1):
        talk = segment.path.stem
        reference = " ".join(line.split())
        audio = segment if reference else Untranslated(f"{texts}, line {number}")
        yield SpeechRecord(id=f"{talk}_{count[talk]}", reference=reference, cluster=talk, audio=audio)
        count[talk] += 1
