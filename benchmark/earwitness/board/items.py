"""What a person sees and hears of an item: its fields, its explanations, its sounds, as paths beside the board."""

from __future__ import annotations

import glob
import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import soundfile
from safetensors import SafetensorError, safe_open

from earwitness.results.rows import FRESH

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

ORIGINALS = ".originals"
"""Folder beside the runs that scoring keeps originals in."""
ENDINGS = {"kept": "ogg", "removed": "ogg", "curves": "json", "features": "json", "trace": "json"}
"""Of the single files that scoring leaves of an item, by what they are."""
SOUNDS = ("ogg", "flac")
"""Endings of sounds."""


@dataclass(frozen=True)
class Input:
    """One item as it was handed to explainers."""

    fields: dict[str, Any] = field(default_factory=dict)
    arrays: Path | None = None
    """Safetensors file with its arrays, under `<item>/<array>`."""
    original: Path | None = None
    seconds: float | None = None
    """Length of the original."""
    problem: str = ""
    """Why it cannot be explained."""
    sounds: dict[str, Path] = field(default_factory=dict)
    """Other sounds of it than the original, by what they are; `<what>-<word>` where they are those of a word."""


def file_name(item: str) -> str:
    """An item's id as a file's name."""
    return quote(item, safe=" ,()[]{}=+@")


def inputs(out: Path, task_hash: str, seed: int) -> dict[str, Input]:
    """Inputs of a variant's items that scoring left on disk, by item id."""
    base, _, fresh = task_hash.partition(FRESH)
    folder = out / ORIGINALS / (f"{base}-seed{seed}" + (f"{FRESH}{fresh}" if fresh else ""))
    found: dict[str, Input] = {}
    for path in sorted(folder.glob("items-*.safetensors")):
        described = _fields(path)
        shown = described.get("page", {})
        for fields in described.get("items", []):
            original = folder / f"{file_name(fields['id'])}.original.ogg"
            heard = original if original.is_file() else None
            page = {**fields, **shown.get(fields["id"], {})}
            sounds = _sounds(folder, fields["id"], ("mix", "stem", "without", "clip"))
            found[fields["id"]] = Input(page, path, heard, _seconds(heard), sounds=sounds)
        for item, reason in described.get("problems", []):
            found[item] = Input(problem=reason)
    return found


def explanations(run: Path) -> dict[str, Path]:
    """File of a run that holds each item's explanation, by item id."""
    found: dict[str, Path] = {}
    for path in sorted((run / "explanations").glob("*.safetensors")):
        try:
            with safe_open(path, framework="numpy") as file:
                found |= {key.rsplit("/", 1)[0]: path for key in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError):
            continue
    return found


def listened(run: Path, items: Iterable[str]) -> dict[str, dict[str, Path]]:
    """Kept, removed, deleted and steered sounds, curves, features and traces of a run by item id, where they are."""
    found: dict[str, dict[str, Path]] = defaultdict(dict)
    for item in items:
        for kind, ending in ENDINGS.items():
            path = run / "listen" / f"{file_name(item)}.{kind}.{ending}"
            if path.is_file():
                found[item][kind] = path
        found[item] |= _sounds(run / "listen", item, ("deleted", "steer"))
    return found


def _sounds(folder: Path, item: str, kinds: Iterable[str]) -> dict[str, Path]:
    """An item's sounds in a folder, `<item>.<kind>` or `<item>.<kind>-<word>`, by kind and word."""
    start = f"{file_name(item)}."
    paths = [path for ending in SOUNDS for path in sorted(folder.glob(f"{glob.escape(start)}*.{ending}"))]
    named = {unquote(path.name.removeprefix(start).rpartition(".")[0]): path for path in paths}
    return {name: path for name, path in named.items() if name.partition("-")[0] in kinds}


def _fields(path: Path) -> dict[str, Any]:
    try:
        with safe_open(path, framework="numpy") as file:
            described: dict[str, Any] = json.loads(file.metadata()["fields"])
            return described
    except (SafetensorError, OSError, KeyError, TypeError, ValueError):
        return {}


def _seconds(path: Path | None) -> float | None:
    if path is None:
        return None
    try:
        return float(soundfile.info(path).duration)
    except soundfile.SoundFileError:
        return None
