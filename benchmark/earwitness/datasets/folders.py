"""Folders that hold datasets: where they lie, and what in them is a person's."""

from __future__ import annotations

import os
from pathlib import Path

LEFT_BEHIND = ("__MACOSX",)
"""Folders of archives that hold what another system keeps of their files."""


def as_path(source: str) -> Path:
    """The path of a dataset's source, `~` standing for the home folder unless something of this name is there.

    >>> as_path("~/sounds") == Path.home() / "sounds"
    True
    """
    path = Path(source)
    return path if path.exists() else Path(os.path.expanduser(path))


def is_hidden(path: Path, folder: Path) -> bool:
    """Whether what lies below a folder is hidden: it, or a folder on the way, begins with a dot or was left behind.

    >>> [is_hidden(Path(name), Path("a")) for name in ("a/b.wav", "a/.b.wav", "a/.c/b.wav", "a/__MACOSX/b.wav")]
    [False, True, True, True]
    """
    return any(part.startswith(".") or part in LEFT_BEHIND for part in path.relative_to(folder).parts)
