"""Files that are whole or not there: written under a temporary name and moved into place."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

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
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        if exclusive:
            _link(temporary, path)
        else:
            temporary.replace(path)
    except Exception as error:
        if isinstance(error, (OSError, *failures)):
            raise unwritten(path, error) from error
        raise
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
