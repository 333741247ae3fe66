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
    found = [_entry(each, folder, root.resolve()) for each in listed]
    return [each for each in found if each is not None]


def _entry(each: Any, folder: Path, root: Path) -> Record | None:
    if not isinstance(each, dict) or not all(isinstance(each.get(name), str) for name in TEXTS):
        return None
    try:
        path = (folder / each["path"]).resolve()
        there = path.is_relative_to(root) and path.is_file()
    except (OSError, ValueError):
        return None
    if each["kind"] not in KINDS or not there:
        return None
    return {**{name: each[name] for name in TEXTS}, "path": path}
