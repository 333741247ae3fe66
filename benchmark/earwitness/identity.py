"""Identities: short hashes of values and of files, by which rows, runs and cached work know each other."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

DIGITS = 16
"""Hexadecimal digits of a hash in rows."""


def digest(value: Any) -> str:
    """SHA-256 of a value of JSON types, whatever the order of its keys, 16 hex digits.

    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}) != digest({"a": 2, "b": 1})
    True
    """
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:DIGITS]


def of_files(folder: Path, paths: Iterable[Path] | None = None) -> str:
    """SHA-256 over names and contents of a folder's files, or of some of them, 16 hex digits."""
    whole = hashlib.sha256()
    for path in files_of(folder) if paths is None else sorted(paths):
        whole.update(path.relative_to(folder).as_posix().encode())
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()[:DIGITS]


def files_of(folder: Path) -> list[Path]:
    """Files below a folder, sorted; hidden ones, and what Python or an editor leaves, are none."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and path.suffix != ".pyc"
        and not path.name.endswith("~")
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
