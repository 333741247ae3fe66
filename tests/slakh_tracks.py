"""Made tracks in Slakh2100's layout: tones that start and stop where they are told to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import yaml

RATE = 8000


@dataclass(frozen=True)
class Part:
    """One stem: what its metadata says, and a tone with the seconds in which it sounds."""

    inst_class: str
    program: int
    hertz: float
    sounds: tuple[float, float]
    level: float = 0.2
    rendered: bool = True


def make_track(folder: Path, parts: list[Part], seconds: float = 6.0, rate: int = RATE) -> Path:
    """Write `mix.flac`, `stems/S00.flac` and so on, and `metadata.yaml`; stems that are not rendered have no file."""
    (folder / "stems").mkdir(parents=True)
    (folder / "MIDI").mkdir()
    time = np.arange(round(seconds * rate)) / rate
    mix = np.zeros(len(time))
    entries = {}
    for number, part in enumerate(parts):
        name = f"S{number:02d}"
        entries[name] = {
            "audio_rendered": part.rendered,
            "inst_class": part.inst_class,
            "is_drum": part.inst_class == "Drums",
            "midi_program_name": part.inst_class,
            "program_num": part.program,
        }
        if part.rendered:
            start, stop = part.sounds
            audio = part.level * np.sin(2 * np.pi * part.hertz * time) * ((time >= start) & (time < stop))
            soundfile.write(folder / "stems" / f"{name}.flac", audio, rate)
            mix += audio
    soundfile.write(folder / "mix.flac", mix, rate)
    text = yaml.safe_dump({"UUID": "0", "audio_dir": "stems", "stems": entries})
    (folder / "metadata.yaml").write_text(text, encoding="utf-8")
    return folder
