"""Speech of the voices that Debian's festival and flite bring, laid out as LibriSpeech is, beside recorded speech.

    apt-get install festival festvox-kallpc16k festvox-kdlpc16k festvox-us-slt-hts flite
    python tests/synthesised_speech.py FOLDER

Sentences are Harvard's (IEEE Recommended Practice for Speech Quality Measurements, 1969), lists 1 to 3. 16 kHz mono.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import resample_poly

RATE = 16_000
FIRST = (
    "The birch canoe slid on the smooth planks.", "Glue the sheet to the dark blue background.",
    "It is easy to tell the depth of a well.",
)  # fmt: skip
LAST = (
    "Four hours of steady work faced us.", "A large size in stockings is hard to sell.",
    "The boy was there when the sun rose.",
)  # fmt: skip
SECOND = (
    "The fish twisted and turned on the bent hook.", "A king ruled the state in the early days.",
    "The ship was torn apart on the sharp reef.", "Sickness kept him home the third week.",
)  # fmt: skip
THIRD = (
    "The wide road shimmered in the hot sun.", "The lazy cow lay in the cool grass.",
    "Lift the square stone over the fence.", "The rope will bind the seven books at once.",
)  # fmt: skip


class Voice(NamedTuple):
    """A voice of one of the two programs, and what it says."""

    speaker: str
    program: str
    name: str
    said: tuple[str, ...]


VOICES = (
    Voice("kal", "festival", "kal_diphone", FIRST),
    Voice("ked", "festival", "ked_diphone", FIRST),
    Voice("slt", "festival", "cmu_us_slt_arctic_hts", LAST),
    Voice("awb", "flite", "awb", SECOND),
    Voice("rms", "flite", "rms", THIRD),
)


def lay_out(folder: Path, split: str = "test-clean") -> list[str]:
    """Write what the voices say under `folder` as a split of LibriSpeech; ids, in order.

    Raises OSError where a program is not there and CalledProcessError where it lacks the voice.
    """
    found = []
    for voice in VOICES:
        chapter = folder / split / voice.speaker / "1"
        chapter.mkdir(parents=True, exist_ok=True)
        lines = []
        for number, text in enumerate(voice.said):
            name = f"{voice.speaker}-1-{number:04d}"
            soundfile.write(chapter / f"{name}.flac", spoken(voice, text), RATE, subtype="PCM_16")
            lines.append(f"{name} {re.sub('[^A-Z ]', '', text.upper())}\n")
            found.append(name)
        (chapter / f"{voice.speaker}-1.trans.txt").write_text("".join(lines), encoding="utf-8")
    return found


def spoken(voice: Voice, text: str) -> NDArray[np.float32]:
    """A sentence [S] at 16 kHz; festival's has a peak of a half, flite's is as loud as it comes."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, "a.wav")
        if voice.program == "festival":
            command = ["text2wave", "-eval", f"(voice_{voice.name})", "-o", str(path)]
        else:
            command = ["flite", "-voice", voice.name, "-t", text, "-o", str(path)]
        subprocess.run(command, input=text.encode(), check=True, capture_output=True)
        audio, rate = soundfile.read(path, dtype="float32")
    audio = audio if rate == RATE else resample_poly(audio, RATE, rate).astype(np.float32)
    loud: NDArray[np.float32] = 0.5 * audio / np.abs(audio).max() if voice.program == "festival" else audio
    return loud


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python tests/synthesised_speech.py FOLDER")
    print(*lay_out(Path(sys.argv[1])), sep="\n")
