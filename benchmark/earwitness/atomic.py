"""Atomic writes: a file is written under a temporary name and moved into place when it is complete."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def atomic_write(path: Path, exclusive: bool = False) -> Iterator[Path]:
    """A temporary path to write to, which becomes `path` at the end; missing folders are made.

    `exclusive` leaves a file alone that is there already.

    Where the write fails, `path` is as it was and the temporary file is gone. Raises OSError where folders cannot be
    made or the file cannot be moved, and whatever is raised within.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.unlink(missing_ok=True)
        yield temporary
        if exclusive:
            _link(temporary, path)
        else:
            temporary.replace(path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _link(temporary: Path, path: Path) -> None:
    """Give a file its name unless another has it; of two that try at once one does."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        return
    except OSError:
        # File systems without links: two may then write one after the other, each the whole of it.
        if not path.exists():
            temporary.replace(path)
