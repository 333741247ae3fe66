"""What a person sees and hears of an item: its fields, its explanations, its exhibits, as paths beside the board."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import soundfile
from pydantic import BaseModel, ConfigDict
from safetensors import SafetensorError, safe_open

from earwitness.board.manifests import Record, exhibits
from earwitness.results.file_names import OF_SEED
from earwitness.results.task_hashes import parted

if TYPE_CHECKING:
    from pathlib import Path

ORIGINALS = ".originals"
"""Folder beside the runs that scoring keeps originals in."""
RUN_EXHIBITS = "exhibits"
"""Folder of a run with what its explanations left for people to see and hear."""
ORIGINAL = "original"
"""Label of the sound that is explained, where an item is one sound."""


@dataclass(frozen=True)
class Input:
    """One item as it was handed to explainers."""

    fields: dict[str, Any] = field(default_factory=dict)
    arrays: Path | None = None
    """Safetensors file with its arrays, under `<item>/<array>`."""
    seconds: float | None = None
    """Length of the sound that is explained."""
    problem: str = ""
    """Why it cannot be explained."""
    exhibits: list[Record] = field(default_factory=list)
    """What people see and hear of it, whoever explains it (see `manifests.exhibits`)."""


def inputs(out: Path, task_hash: str) -> dict[str, Input]:
    """Inputs of a variant's items that scoring left on disk, by item id."""
    folder = out / ORIGINALS / parted(task_hash).originals
    found: dict[str, Input] = {}
    for path in sorted(folder.glob("items-*.safetensors")):
        described = _fields(path)
        shown = described["page"]
        for fields in described["items"]:
            item = fields["id"]
            own = exhibits(folder, item, out)
            heard = next((each["path"] for each in own if (each["kind"], each["label"]) == ("sound", ORIGINAL)), None)
            found[item] = Input({**fields, **shown.get(item, {})}, path, _seconds(heard), exhibits=own)
        for item, reason in described["problems"]:
            found[item] = Input(problem=reason)
    return found


def explanations(run: Path) -> dict[str, Path]:
    """File of a run that holds each item's explanation, by item id: that of its first explainer seed."""
    found: dict[str, Path] = {}
    for path in sorted((run / "explanations").glob("*.safetensors")):
        if OF_SEED in path.stem:
            continue
        try:
            with safe_open(path, framework="numpy") as file:
                found |= {key.rsplit("/", 1)[0]: path for key in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError):
            continue
    return found


class _Named(BaseModel):
    model_config = ConfigDict(extra="allow")

    id: str


class _Originals(BaseModel):
    """Fields of a file of originals, as scoring leaves them."""

    items: list[_Named] = []
    problems: list[tuple[str, str]] = []
    page: dict[str, dict[str, Any]] = {}


def _fields(path: Path) -> dict[str, Any]:
    """Fields of a file of originals; none where it is not what scoring leaves."""
    try:
        with safe_open(path, framework="numpy") as file:
            found = _Originals.model_validate_json(file.metadata()["fields"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError):
        found = _Originals()
    return found.model_dump()


def _seconds(path: Path | None) -> float | None:
    if path is None:
        return None
    try:
        return float(soundfile.info(path).duration)
    except soundfile.SoundFileError:
        return None
