"""Folders that a submission may write to, whatever it makes of them: looked at, and taken away."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEEPEST = 32
"""Folders that may lie in one another: what lies too deep has no path, and is not seen."""


def overfull(folders: list[Path], size: int, files: int) -> str:
    """How some folders hold more than so many bytes and files together, in words; empty where they do not."""
    found = number = 0
    for each in _sizes(folders):
        if each < 0:
            return f"keeps folders more than {DEEPEST} deep"
        found, number = found + each, number + 1
        if found > size:
            return f"keeps more than {size >> 20} MiB in files"
        if number > files:
            return f"keeps more than {files} files"
    return ""


def _sizes(folders: list[Path]) -> Iterator[int]:
    """Bytes on disk of each file below some folders, 0 for a folder, -1 for one that lies too deep; links are not
    followed.
    """
    waiting = [(str(folder), 0) for folder in folders]
    while waiting:
        place, depth = waiting.pop()
        if depth > DEEPEST:
            yield -1
            return
        with suppress(OSError), os.scandir(place) as entries:
            for entry in entries:
                with suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append((entry.path, depth + 1))
                        yield 0
                    else:
                        yield entry.stat(follow_symlinks=False).st_blocks * 512


def empty(folder: Path) -> None:
    """Take away all that is in a folder; the folder stays the one that a box can write to."""
    with suppress(OSError):
        for path in list(folder.iterdir()):
            if path.is_dir() and not path.is_symlink():
                remove(path)
            else:
                with suppress(OSError):
                    path.unlink()


def remove(folder: Path) -> None:
    """Take a folder away with all that is in it; what cannot be taken away stays."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
    except RecursionError:
        # A tree that is deeper than Python calls functions.
        with suppress(OSError, subprocess.SubprocessError):
            subprocess.run(["rm", "-rf", "--", str(folder)], check=False, capture_output=True, timeout=60)
