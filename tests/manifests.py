"""Manifests of exhibits, as tests read and write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from earwitness.exhibits.manifest import ENDING, Exhibit, ExhibitKind, write
from earwitness.results.file_names import file_name


def manifest(folder: Path, item: str) -> dict[str, Any]:
    """An item's manifest as it lies in a folder."""
    found: dict[str, Any] = json.loads((folder / f"{file_name(item)}{ENDING}").read_text(encoding="utf-8"))
    return found


def listed(folder: Path, item: str, *entries: tuple[str, str, str, str]) -> None:
    """Write an item's manifest of kind, label, part and path."""
    write(folder, item, [Exhibit(item, ExhibitKind(kind), label, path, part) for kind, label, part, path in entries])
