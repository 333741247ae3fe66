"""Manifests of exhibits, as scoring leaves them: one JSON document an item, whose files are shown by kind."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from earwitness.results.file_names import file_name

if TYPE_CHECKING:
    from pathlib import Path

Record = dict[str, Any]
KINDS = frozenset({"sound", "picture", "curve", "document"})
TEXTS = ("kind", "label", "part", "path")


def exhibits(folder: Path, item: str, root: Path) -> list[Record]:
    """`kind`, `label`, `part` and `path` of what an item's manifest in a folder lists, in its order.

    What is not there is left out, and so is what lies outside `root`: a manifest that somebody else wrote shows no file
    of this machine. Nothing is listed where there is no manifest that can be read.
    """
    try:
        text = (folder / f"{file_name(item)}.exhibits.json").read_text(encoding="utf-8")
        listed = json.loads(text)["exhibits"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []
    if not isinstance(listed, list):
        return []
    entries = [_entry(entry, folder, root.resolve()) for entry in listed]
    return [entry for entry in entries if entry is not None]


def _entry(entry: Any, folder: Path, root: Path) -> Record | None:
    if not isinstance(entry, dict) or not all(isinstance(entry.get(name), str) for name in TEXTS):
        return None
    try:
        path = (folder / entry["path"]).resolve()
        there = path.is_relative_to(root) and path.is_file()
    except (OSError, ValueError):
        return None
    if entry["kind"] not in KINDS or not there:
        return None
    return {**{name: entry[name] for name in TEXTS}, "path": path}
