"""Files that are whole or not there, and what to say of one that could not be written."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from earwitness.atomic import atomic_write
from earwitness.errors import unwritten

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def moved_into_place(path: Path, *failures: type[Exception], exclusive: bool = False) -> Iterator[Path]:
    """A temporary path to write to, moved to `path` at the end; nothing is left of it where writing fails.

    `exclusive` leaves a file alone that is there already. Raises EarwitnessError on an OSError, or another of the
    `failures` of who writes.
    """
    try:
        with atomic_write(path, exclusive) as temporary:
            yield temporary
    except Exception as error:
        if isinstance(error, (OSError, *failures)):
            raise unwritten(path, error) from error
        raise
